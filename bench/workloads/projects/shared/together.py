"""Several Stepwell commands at once on this project; fails where one of them does.

together.py STEPWELL first=0 last=3 -- first=1 last=4
"""

import subprocess
import sys

command, *words = sys.argv[1:]
groups, group = [], []
for word in words:
    if word == "--":
        groups.append(group)
        group = []
    else:
        group.append(word)
groups.append(group)
started = [subprocess.Popen([command, "run", *group]) for group in groups]
sys.exit(max([process.wait() for process in started]))
