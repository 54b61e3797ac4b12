#!/bin/sh
# Prints what the library alone (default features) costs those who depend on it: how many crates
# it pulls in, which of them are largest, and how long a clean build takes.
#
#   bench/measure-deps.sh
#
# Run it from anywhere inside the workspace. It builds into a directory of its own, which it
# removes. Goal: at most 80 crates.
set -eu
cd "$(dirname "$0")/.."

crates=$(cargo tree -e normal -p moorline --prefix none --no-dedupe | sed 's/ (\*)$//; s/ (proc-macro)$//' | sort -u)
count=$(printf '%s\n' "$crates" | wc -l)
echo "crates, moorline itself included: $count (goal: at most 80)"

echo
echo "largest by lines of Rust source:"
for source in $(cargo metadata --format-version 1 | tr ',' '\n' |
    sed -n 's/^.*"manifest_path":"\(.*\)\/Cargo.toml".*$/\1/p' | sort -u); do
    name=$(basename "$source")
    package=$(printf '%s' "$name" | sed 's/\(.*\)-\([0-9].*\)$/\1 v\2/')
    if printf '%s\n' "$crates" | grep -qxF "$package"; then
        lines=$(find "$source/src" -name '*.rs' -exec cat {} + 2>/dev/null | wc -l)
        printf '%8d  %s\n' "$lines" "$package"
    fi
done | sort -rn | head -5

echo
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
cargo fetch --quiet
for profile in dev release; do
    begin=$(date +%s%N)
    CARGO_TARGET_DIR="$target/$profile" cargo build --quiet --offline -p moorline --profile "$profile"
    end=$(date +%s%N)
    awk -v profile="$profile" -v ns="$((end - begin))" -v cores="$(nproc)" \
        'BEGIN { printf "clean build, profile %s, %d cores: %.1f s\n", profile, cores, ns / 1e9 }'
done
