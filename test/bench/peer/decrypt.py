"""The bulk peer: the same cells decrypted and written as ndjson by Debian's python3 and python3-cryptography. No audit."""

import json
import sqlite3
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

directory = sys.argv[1]
with open(f"{directory}/cells.key", "rb") as file:
    cipher = AESGCM(file.read())
database = sqlite3.connect(f"file:{directory}/cells.sqlite?mode=ro&immutable=1", uri=True)
names = ("PasswordId", "RecoveryKey", "ComputerName", "VolumeId", "VolumeType", "LastUpdateTime")
lines = []
for row in database.execute("SELECT Id, PasswordId, Cell, ComputerName, VolumeId, VolumeType, LastUpdateTime FROM keys"):
    number, key_id, cell, *rest = row
    key = cipher.decrypt(cell[:12], cell[12:], f"{number} {key_id}".encode()).decode()
    lines.append(json.dumps(dict(zip(names, (key_id, key, *rest))), separators=(",", ":")))
    if len(lines) == 512:
        sys.stdout.write("\n".join(lines) + "\n")
        lines.clear()
if lines:
    sys.stdout.write("\n".join(lines) + "\n")
