"""What the examples use of curl, for machines that have none: `-s URL`, `-H`, `-d`, `-o`. Knows nothing but Python."""

import argparse
import sys
import urllib.error
import urllib.request

parser = argparse.ArgumentParser()
parser.add_argument("-s", action="store_true")
parser.add_argument("-H", action="append", default=[])
parser.add_argument("-d", type=str.encode)
parser.add_argument("-o", type=argparse.FileType("wb"), default=sys.stdout.buffer)
parser.add_argument("url")
options = parser.parse_args()
headers = dict(header.split(": ", 1) for header in options.H)
request = urllib.request.Request(options.url, options.d, headers)
try:
    response = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
except urllib.error.HTTPError as error:
    response = error
options.o.write(response.read())
