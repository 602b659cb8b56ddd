"""A made-up incident on a toy mail server in a temporary folder: `bmtop --demo`.

The toy gives bmtop what a real server gives it: a log file that grows, a queue folder, and programs named as
Postfix's and BlueMind's. Nothing here is imported by the rest of bmtop but `toy`.
"""
