import argparse
from textwrap import dedent

from loud import shout

parser = argparse.ArgumentParser()
parser.add_argument("--source")
parser.add_argument("--target")
parser.add_argument("--times", type=int)
options = parser.parse_args()
with open(options.source) as file, open(options.target, "w") as out:
    out.write(shout(dedent(file.read())) * options.times)
