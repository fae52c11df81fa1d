"""Runs a command beside a server: `with_server.py DIRECTORY COMMAND…`; its exit code is the command's.

The command finds in its environment PORTS, as JSON, and the file of the server's certificate under the names
by which node and OpenSSL's relatives know whom to trust; they read them when they start.
"""

import json
import os
import subprocess
import sys

from gateway import Gateway

directory, *command = sys.argv[1:]
gateway = Gateway(directory)
try:
    status = subprocess.run(
        command,
        env=os.environ
        | {"PORTS": json.dumps(gateway.ports), "NODE_EXTRA_CA_CERTS": gateway.pin, "SSL_CERT_FILE": gateway.pin},
    ).returncode
    gateway.stop()
finally:
    gateway.close()
sys.exit(status)
