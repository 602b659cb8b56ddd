"""What BlueMind does: sessions, passwords, accounts, settings; by its REST service and by bm-cli."""
