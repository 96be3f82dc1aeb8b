#!/bin/sh
# What the Lambda Web Adapter starts in place of a handler; the layers lie under /opt/python.
PYTHONPATH="/opt/python${PYTHONPATH:+:$PYTHONPATH}" exec python3 -m autoscaler.gateway.serve
