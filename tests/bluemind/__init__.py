"""Stand-ins for BlueMind's bm-cli and REST service, with the traps of the real ones, and what is tested on them."""
