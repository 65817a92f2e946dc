"""What Stepwell knows, in the words of other files. Pure functions: plain data in, text out, and back.

Start reading at `runfile`, which has the shape of a run file, then `yaml`, which has its text.
"""
