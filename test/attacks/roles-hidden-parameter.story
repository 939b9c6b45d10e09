# ATTACK  A user whose role does not grant -raw and -NoRotation reaches them by a prefix (-r, -ra, -n), by another case, or
#         behind a colon.
# DANGER  One helpdesk account takes every key of the site at once, and no client rotates.
# EXPECT  A hidden parameter answers to nothing: refused in the words of one that does not exist.

-- each is answered as a parameter that does not exist --
! support Get-RecoveryKeys DEMO-PC-01 -zzz
status 2
stderr Get-RecoveryKeys has no such parameter. You may give:
! stderr /[^-]raw|NoRotation/
keep unknown
! support Get-RecoveryKeys DEMO-PC-01 -raw
like unknown
! support Get-RecoveryKeys DEMO-PC-01 -RAW
like unknown
! support Get-RecoveryKeys DEMO-PC-01 -ra
like unknown
! support Get-RecoveryKeys DEMO-PC-01 -NoRotation
like unknown
! support Get-RecoveryKeys DEMO-PC-01 -norotation
like unknown
! support Get-RecoveryKeys DEMO-PC-01 -No
like unknown
! support Get-RecoveryKeys DEMO-PC-01 -n
like unknown
! support Get-RecoveryKeys DEMO-PC-01 –raw
like unknown
! support Get-RecoveryKeys DEMO-PC-01 —raw
like unknown
! support Get-RecoveryKeys DEMO-PC-01 -raw:x
like unknown
! support Get-RecoveryKeys DEMO-PC-01 -raw:'x'
like unknown
! support Get-RecoveryKeys DEMO-PC-01 -raw x
like unknown
! event disclosure

-- it does not make a prefix ambiguous, nor is it among those that are --
! support Get-RecoveryKeys DEMO-PC-01 -r x
stderr /ambiguous: it may be -RecoveryKeyId, -Reason\./
! event disclosure

-- a role without it takes -r for the one parameter that is left --
roles
  { "roleCapabilities": { "some": { "visibleCommands": [
      { "name": "Get-RecoveryKeys", "parameters": ["ComputerName", "RecoveryKeyId"] } ] } },
    "roleDefinitions": { "user:support": { "roleCapabilities": ["some"] } } }
! support Get-RecoveryKeys -r 24B0AA32
status 3
stderr 24B0AA32
