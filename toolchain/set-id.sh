#!/usr/bin/env bash
# Gives the program another id, for a deployment of your own, and rebuilds it.
#
# usage: set-id.sh PROGRAM_ID      (the public key of the keypair that you will deploy with)
#
# The program refuses to run at another address than the one it declares, and its accounts are derived from it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$here/lib.sh"

[[ $# -eq 1 ]] || die "usage: set-id.sh PROGRAM_ID"
id=$1
python3 - "$id" <<'PYTHON' || die "$id is not a public key: expected 32 bytes in base58"
import sys

alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
text, number = sys.argv[1], 0
if not text or any(c not in alphabet for c in text):
    sys.exit(1)
for c in text:
    number = number * 58 + alphabet.index(c)
zeros = len(text) - len(text.lstrip("1"))
sys.exit(zeros + (number.bit_length() + 7) // 8 != 32)
PYTHON

library=$root/programs/backstop/src/lib.rs anchor=$root/Anchor.toml
old=$(sed -n 's/^declare_id!("\([^"]*\)");.*/\1/p' "$library")
[[ $old =~ ^[1-9A-HJ-NP-Za-km-z]+$ ]] || die "expected one declare_id!(\"...\") line in $library"
[[ -f $anchor ]] || die "$anchor is missing"

sed -i "s/^declare_id!(\"$old\")/declare_id!(\"$id\")/" "$library"
sed -i "s/\"$old\"/\"$id\"/g" "$anchor"
log "program id: $old -> $id"
"$here/build.sh"
if others=$(cd "$root" && grep -rlF --exclude-dir=target --exclude-dir=.git "$old" .) && [[ $old != "$id" ]]; then
  log "the old id is still named in:"
  echo "$others" >&2
fi
