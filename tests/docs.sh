#!/usr/bin/env bash
# The guide, followed as a stranger would: installs the library to a temporary prefix, then types
# what each page says and compares what it prints. Links, table of statuses and pieces of C too.
set -euo pipefail
cd "$(dirname "$0")/.."
ES_DOCS_SESSION=1 cargo test --test docs
