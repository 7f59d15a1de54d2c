#!/bin/bash
# What is made of training logs: plots and TensorBoard's event files.
. "$(dirname "$0")/../lib/lib.sh"

cat >log <<'END'
{"step":1,"lr":0.1,"loss":5.5,"mlm":5.5,"gradient_norm":2,"rows":100,"seconds":0.5,"rows_per_second":200,"wait_share":0,"peak_share":0.5}
{"step":2,"lr":0.05,"loss":4.25,"mlm":4.25,"gradient_norm":1,"rows":100,"seconds":0.5,"rows_per_second":200,"wait_share":0,"peak_share":0.5}
{"step":2,"dev_mlm":4.5}
END
if command -v gnuplot >/dev/null && command -v jq >/dev/null; then
    t_run "$top/scripts/plot-log" log
    t_exit 0 "a log is drawn"
    t_ok "as SVG" sh -c 'grep -q "<svg" log.svg && grep -q "dev mlm" log.svg'
    t_run "$top/scripts/plot-log" log out.png
    t_ok "as PNG" sh -c 'head -c 4 out.png | grep -q PNG'
    printf '%s\n' '{"step":10,"lr":0.1,"loss":3,"objectness":0.5,"class":1.5,"box":1}' '{"step":20,"lr":0.05,"loss":2,"objectness":0.25,"class":1,"box":0.75,"ap50":0.5,"ap":0.25}' >detector
    t_run "$top/scripts/plot-log" detector
    t_exit 0 "a detector's log is drawn"
    t_ok "with its losses and precision, and no complaint" sh -c 'grep -q objectness detector.svg && grep -q ap50 detector.svg && [ ! -s "$1" ]' sh "$err"
    jq -c 'select(.lr) | .sum_share = 0.25 | .sum_wait_share = 0.125' log >ranks
    t_run "$top/scripts/plot-log" ranks
    t_ok "what ranks waited for is a share of the time, nothing held out" sh -c 'grep -q "sum wait share" ranks.svg && ! grep -q "held out" ranks.svg'
    echo '{}' >none
    t_run "$top/scripts/plot-log" none
    t_fails "a log without figures"
fi
if command -v python3 >/dev/null; then
    t_run "$top/scripts/log-to-tensorboard" log board
    t_exit 0 "a log becomes an event file"
    t_run python3 - board/events.out.tfevents.log <<'END'
# An independent look: the lengths chain up, the checksums are those of a bitwise CRC-32C, the numbers are there.
import struct, sys
def crc(data):
    c = 0xFFFFFFFF
    for b in data:
        c ^= b
        for _ in range(8):
            c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    c ^= 0xFFFFFFFF
    return ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF
assert crc(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) & 0xFFFFFFFF
data, at, events = open(sys.argv[1], "rb").read(), 0, []
while at < len(data):
    n, = struct.unpack_from("<Q", data, at)
    assert struct.unpack_from("<I", data, at + 8)[0] == crc(data[at:at + 8])
    body = data[at + 12:at + 12 + n]
    assert struct.unpack_from("<I", data, at + 12 + n)[0] == crc(body)
    events.append(body)
    at += 16 + n
assert len(events) == 4 and b"brain.Event:2" in events[0]
assert b"\n\x04loss\x15" + struct.pack("<f", 4.25) in events[2] and events[2][9:11] == b"\x10\x02"
assert b"dev_mlm\x15" + struct.pack("<f", 4.5) in events[3]
END
    t_exit 0 "that an independent reader understands"
    echo 'no log' >bad
    t_run "$top/scripts/log-to-tensorboard" bad board
    t_fails "something else is refused"
    printf '%s\n%s' '{"step":3000000000,"loss":1e39}' '{"step":30000' >torn
    t_run "$top/scripts/log-to-tensorboard" torn board
    t_exit 0 "a line that a full disk cut short is left out, and what is too large is infinite"
    t_ok "at its step" grep -qaF "$(printf '\020\200\274\301\226\013')" board/events.out.tfevents.torn
    t_run "$top/scripts/log-to-tensorboard" nowhere board
    t_fails "a log that is not there"
fi
t_done
