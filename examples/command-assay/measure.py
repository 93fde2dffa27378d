#!/usr/bin/env python3
"""A program that measures: one job on its standard input, one result on its standard output.

Any language will do. Exit code 75 says that another try may help; any other but 0, that it failed.
"""

import json
import math
import sys

job = json.load(sys.stdin)
parameters = json.loads(job["sample"]["content"])
heat = (parameters["temperature"] - 78) / 20
wait = (parameters["time"] - 45) / 25
value = 92 * math.exp(-(heat**2) - wait**2)
json.dump({"job": job["job"], "readings": {"yield": value}}, sys.stdout)
