#!/bin/sh
# Fuzzes the manifest reader, decoder and rules: tools/fuzz.sh CASES [SEED]
#
# Stable Rust suffices: only our own crate gets the coverage counters, through cargo's wrapper for workspace
# members, so that the counters stay few enough to be looked at after each case.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
mkdir -p "$CARGO_TARGET_DIR/fuzz"
wrapper=$CARGO_TARGET_DIR/fuzz/rustc
printf '#!/bin/sh\nexec "$@" -C instrument-coverage\n' > "$wrapper"
chmod +x "$wrapper"
RUSTC_WORKSPACE_WRAPPER=$wrapper CARGO_PROFILE_DEV_OPT_LEVEL="${CARGO_PROFILE_DEV_OPT_LEVEL:-3}" cargo build --example fuzz
LLVM_PROFILE_FILE=/dev/null exec "$(find "$CARGO_TARGET_DIR" -path '*/debug/examples/fuzz' -type f | head -n 1)" "$@"
