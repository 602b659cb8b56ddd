"""Incidents of many kinds, played on a real Postfix, and what bmtop makes of each."""
