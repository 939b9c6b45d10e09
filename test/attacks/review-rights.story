# ATTACK  An operator reads what others did; an auditor runs what an operator may; someone who may look at their own sessions
#         only looks at another's, by name, by id, by a list, or through a pipe.
# DANGER  The record tells an attacker who is slow, who is away and which keys went where; and a reviewer who can also act
#         reviews themselves.
# EXPECT  What a role doesn't grant is answered as a command that was never written, and a narrowed role stays narrow.

-- an operator can't review, in the words of a command that was never written --
! support No-Such
keep unknown
! support Get-Session -User exporter
like unknown
! support Get-Session S-0123456789abcdef
like unknown
! support get-auditevent -Follow
like unknown
! support Get-AuditEvent -Last 5 | Measure-Object
like unknown
! support Test-AuditLog
like unknown
! support Export-AuditLog
like unknown
! event review

-- nor can any other but the auditor --
! guest No-Such
keep unknown
! guest Get-Session
like unknown
! exporter Get-Session
like unknown
! requester Get-Session
like unknown
! certadmin Get-AuditEvent
like unknown
! approver Export-AuditLog
like unknown
! event review

-- the auditor can't do what is reviewed --
! auditor No-Such
keep unknown
! auditor Get-RecoveryKeys -ComputerName DEMO-PC-01
like unknown
! auditor verify-cert
like unknown
! auditor backup-cert -Name x
like unknown
! auditor Get-Elevation
like unknown
! event disclosure

-- a role may let an operator see their own sessions, and no others --
roles
  { "roleCapabilities": { "own": { "visibleCommands": [
      { "name": "Get-Session",
        "parameters": [{ "name": "User", "validateSet": ["support"] }, "Since", "Format"],
        "requireOneOf": ["User"] } ] } },
    "roleDefinitions": { "user:support": { "roleCapabilities": ["own"] } } }
exporter Get-Command
support Get-Session -User SUPPORT -Format ndjson
stdout "User":"support"
! stdout exporter
! support Get-Session
status 2
stdout
! support Get-Session -User exporter
status 2
stdout
! support Get-Session -User support,exporter
status 2
stdout
! support Get-Session S-00000000000000ff
status 2
stdout
! support Get-Session -User support -SessionId S-00000000000000ff
status 2
stdout
! support Get-Session -Since 7d
status 2
stdout

-- a path is no session --
! auditor Get-Session -SessionId '../../log-key'
status 2
stdout
! auditor Get-Session -SessionId 'S-0000000000000000/../../../log-key'
status 2
stdout
! auditor Get-Session -SessionId '%2e%2e'
status 2
stdout
