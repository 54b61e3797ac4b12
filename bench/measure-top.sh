#!/usr/bin/env bash
# Prints what `moorline top --watch` costs with many records: how soon they are shown, the CPU and
# what is written to the terminal while nothing happens, while the selection moves, and while
# records are written, how soon a write shows, and the memory. On Linux, with tmux.
#
#   bench/measure-top.sh [RECORDS]          # 10000 unless said otherwise: some minutes
set -euo pipefail
cd "$(dirname "$0")/.."
records=${1:-10000}
cargo build --quiet --release --package moorline-cli
moorline=$PWD/${CARGO_TARGET_DIR:-target}/release/moorline
home=$(mktemp -d)
export moorline home LANG=C.UTF-8 TERM=xterm-256color
finish() {
    tm kill-server 2>/dev/null || true
    rm -rf "$home"
}
trap finish EXIT

tm() { tmux -S "$home/tmux" -f /dev/null -u "$@"; }
shows() { tm capture-pane -p -t top | grep -cE -- "$1" || true; }
now() { date +%s%3N; }

# put NUMBER [OPTION]: imports a record.
put() {
    printf '{"version":2,"record":{"provider":"cip0103","intent":"connected","accounts":[{"id":"party%05d::1220%064x","primary":true}],"network":"canton:local","connectedAt":"2026-03-10T12:00:00.000Z","expiresAt":null,"generation":0}}' \
        "$1" "$1" |
        "$moorline" sessions --store "$home/store" --keys "file:$home/key" \
            import - --name "session/$1" ${2:-} >/dev/null
}
export -f put

# span WHAT COMMAND...: what the view costs meanwhile.
span() {
    local what=$1 cpu bytes time
    shift
    cpu=$(ticks) bytes=$(stat -c %s "$home/out") time=$(now)
    "$@"
    time=$(($(now) - time)) cpu=$((($(ticks) - cpu) * 1000 / $(getconf CLK_TCK)))
    bytes=$(($(stat -c %s "$home/out") - bytes))
    echo "$what: $cpu ms of CPU in $time ms, $bytes bytes written"
}
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
down() { for _ in $(seq 100); do tm send-keys -t top j; sleep 0.1; done; }
writes() { for number in $(seq 100); do put "$number" --replace; sleep 0.1; done; }

put 0
seq 1 $((records - 1)) | xargs -P 4 -I{} bash -c 'put {}'

tm new-session -d -s top -x 110 -y 50 "bash --norc --noprofile"
tm pipe-pane -o -t top "cat >$home/out"
begun=$(now)
tm send-keys -t top "sh -c 'echo \$\$ >$home/pid; exec $moorline top --watch $home/store --keys file:$home/key'" Enter
until [ "$(shows "^ $records stored")" = 1 ]; do sleep 0.02; done
echo "$records records are shown after $(($(now) - begun)) ms"
pid=$(cat "$home/pid")
sleep 5
span "nothing happens" sleep 20
span "the selection moves 100 times" down
tm send-keys -t top s s s s
sleep 1
span "nothing happens, sorted by rate" sleep 20
put 0 --replace
begun=$(now)
until [ "$(shows "record:written")" = 1 ]; do sleep 0.02; done
echo "a write shows $(($(now) - begun)) ms after the program that wrote has ended"
span "100 writes" writes
awk '/VmRSS|VmHWM/ { print $1, $2, $3 }' "/proc/$pid/status"
