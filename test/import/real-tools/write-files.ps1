# Writes the same recovery keys in the ways in which people write them with PowerShell, one file a way.
#
# Get-BitLockerVolume is Windows' own; its objects are made here with its types, properties and their order
# (Microsoft.BitLocker.Structures, BitLocker.psm1). What writes them are PowerShell's own cmdlets.
#
# Keys: a JSON list of { computer, volumes: [{ mountPoint, volumeType, protectors: [{ id, type, password, file }] }] }.
# Out: a folder. "all" names every computer; "one" is of the first computer only and names none; "told" can't be imported;
# "any" was cut, wrapped or left out at some width: it is imported rightly or told.
param([Parameter(Mandatory)] [string] $Keys, [Parameter(Mandatory)] [string] $Out)
$ErrorActionPreference = 'Stop'

enum BitLockerVolumeType { OperatingSystem; Data }
enum BitLockerVolumeKeyProtectorType {
  Unknown; Tpm; ExternalKey; RecoveryPassword; TpmPin; TpmStartupKey; TpmPinStartupKey; PublicKey; Password; TpmNetworkKey
}
class BitLockerVolumeKeyProtector {
  [string] $KeyProtectorId
  [Nullable[bool]] $AutoUnlockProtector
  [BitLockerVolumeKeyProtectorType] $KeyProtectorType
  [string] $KeyFileName
  [string] $RecoveryPassword
  [object] $KeyCertificateType
  [string] $Thumbprint
  [string] ToString() { return $this.KeyProtectorType }
}
class BitLockerVolume {
  [string] $ComputerName
  [string] $MountPoint
  [string] $EncryptionMethod = 'XtsAes128'
  [Nullable[bool]] $AutoUnlockEnabled
  [Nullable[bool]] $AutoUnlockKeyStored
  [int] $MetadataVersion = 2
  [string] $VolumeStatus = 'FullyEncrypted'
  [string] $ProtectionStatus = 'On'
  [string] $LockStatus = 'Unlocked'
  [int] $EncryptionPercentage = 100
  [int] $WipePercentage = 0
  [BitLockerVolumeType] $VolumeType
  [double] $CapacityGB = 237.4571
  [BitLockerVolumeKeyProtector[]] $KeyProtector
}

$volumes = foreach ($computer in Get-Content -Raw $Keys | ConvertFrom-Json) {
  foreach ($volume in $computer.volumes) {
    [BitLockerVolume] @{
      ComputerName = $computer.computer
      MountPoint   = $volume.mountPoint
      VolumeType   = $volume.volumeType
      KeyProtector = foreach ($protector in $volume.protectors) {
        [BitLockerVolumeKeyProtector] @{
          KeyProtectorId = "{$($protector.id)}"; KeyProtectorType = $protector.type
          KeyFileName = $protector.file; RecoveryPassword = $protector.password
        }
      }
    }
  }
}
$first = @($volumes)[0].ComputerName
$ofFirst = $volumes | Where-Object ComputerName -EQ $first
$protectors = $ofFirst.KeyProtector
$rows = foreach ($volume in $volumes) {
  foreach ($protector in $volume.KeyProtector | Where-Object KeyProtectorType -EQ RecoveryPassword) {
    [pscustomobject] @{
      ComputerName = $volume.ComputerName; MountPoint = $volume.MountPoint
      KeyProtectorId = $protector.KeyProtectorId; RecoveryPassword = $protector.RecoveryPassword
    }
  }
}
$everyRow = $volumes | ForEach-Object {
  $computer = $_.ComputerName
  $_.KeyProtector | Select-Object @{ n = 'ComputerName'; e = { $computer } }, *
}

$all = (New-Item -ItemType Directory (Join-Path $Out 'all')).FullName
$one = (New-Item -ItemType Directory (Join-Path $Out 'one')).FullName
$told = (New-Item -ItemType Directory (Join-Path $Out 'told')).FullName
$any = (New-Item -ItemType Directory (Join-Path $Out 'any')).FullName
$wide = 300

# Whole volumes.
$volumes | ConvertTo-Json -Depth 4 | Out-File "$all/volumes.json"
$volumes | ConvertTo-Json -Depth 9 -Compress | Out-File "$all/volumes-compressed.json"
$volumes | ConvertTo-Json -Depth 4 -EnumsAsStrings > "$all/volumes-names-of-enums.json"
$volumes | ForEach-Object { $_ | ConvertTo-Json -Depth 4 } | Out-File "$all/volumes-one-after-another.json"
$volumes | ForEach-Object { $_ | ConvertTo-Json -Depth 4 -Compress } | Out-File "$all/volumes-one-a-line.json"
$volumes | Select-Object ComputerName, MountPoint, VolumeType, KeyProtector | ConvertTo-Json -Depth 4 | Out-File "$all/volumes-selected.json"
$volumes | Group-Object ComputerName | ConvertTo-Json -Depth 6 | Out-File "$all/volumes-in-groups.json"
ConvertTo-Json -Depth 4 @{ Date = Get-Date; Computers = $volumes } | Out-File "$all/volumes-in-a-report.json"
$volumes | Group-Object ComputerName -AsHashTable -AsString | ConvertTo-Json -Depth 6 | Out-File "$all/volumes-by-computer.json"
$volumes | Select-Object ComputerName, MountPoint, @{ n = 'KeyProtectorId'; e = { $_.KeyProtector.KeyProtectorId } },
  @{ n = 'RecoveryPassword'; e = { $_.KeyProtector.RecoveryPassword } } | ConvertTo-Json | Out-File "$all/volumes-with-lists.json"
$volumes | Select-Object ComputerName, MountPoint, @{ n = 'KeyProtectorId'; e = { $_.KeyProtector.KeyProtectorId -join "`n" } },
  @{ n = 'RecoveryPassword'; e = { $_.KeyProtector.RecoveryPassword -join "`n" } } | Export-Csv "$all/volumes-joined-by-lines.csv"
$volumes | Select-Object ComputerName, @{ n = 'Id'; e = { ($_.KeyProtector | Where-Object RecoveryPassword).KeyProtectorId -join ', ' } },
  @{ n = 'Key'; e = { ($_.KeyProtector | Where-Object RecoveryPassword).RecoveryPassword -join ', ' } } | Export-Csv "$all/volumes-joined-by-commas.csv"
$volumes | Select-Object ComputerName, @{ n = 'Id'; e = { "$(($_.KeyProtector | Where-Object RecoveryPassword).KeyProtectorId)" } },
  @{ n = 'Key'; e = { "$(($_.KeyProtector | Where-Object RecoveryPassword).RecoveryPassword)" } } | Format-List | Out-File -Width $wide "$any/volumes-joined-by-blanks.txt"
$volumes | ConvertTo-Json -Depth 1 -WarningAction SilentlyContinue | Out-File "$told/volumes-cut-off.json"
$volumes | Export-Csv "$told/volumes-lost.csv"
$volumes | Export-Clixml "$all/volumes.xml"
Export-Clixml -InputObject @($volumes) "$all/volumes-as-one-list.xml"
$volumes | Group-Object ComputerName -AsHashTable -AsString | Export-Clixml -Depth 4 "$all/volumes-by-computer.xml"
$volumes | Export-Clixml -Depth 1 "$told/volumes-cut-off.xml"
$volumes | ConvertTo-Xml -Depth 4 -As String | Out-File "$all/volumes-converted.xml"
$byName = [ordered] @{}
foreach ($group in $rows | Group-Object ComputerName) { $byName[$group.Name] = @($group.Group | Select-Object KeyProtectorId, RecoveryPassword) }
$byName | ConvertTo-Json -Depth 4 | Out-File "$all/rows-by-computer.json"
$byName | Export-Clixml -Depth 4 "$all/rows-by-computer.xml"
$volumes | Out-File -Width $wide "$told/volumes-table.txt"
$volumes | Format-List * | Out-File -Width $wide "$told/volumes-list.txt"

# Protectors of one computer, as the console of that computer shows them.
$protectors | ConvertTo-Json | Out-File "$one/protectors.json"
$protectors | ConvertTo-Json -EnumsAsStrings -AsArray | Out-File "$one/protectors-names-of-enums.json"
$protectors | Out-File -Width $wide "$one/protectors.txt"
$protectors | Format-List | Out-File -Width 80 "$one/protectors-80.txt"
$protectors | Format-List | Out-File -Width 60 "$one/protectors-60.txt"
$protectors | Format-List KeyProtectorId, RecoveryPassword | Out-String -Width 50 | Out-File "$one/protectors-50.txt"
$protectors | Format-List RecoveryPassword, KeyProtectorId | Out-File -Width $wide "$one/protectors-key-first.txt"
$protectors | Format-Table KeyProtectorType, KeyProtectorId, RecoveryPassword | Out-File -Width $wide "$one/protectors-table.txt"
$protectors | Format-Table KeyProtectorId, RecoveryPassword -AutoSize | Out-File -Width $wide "$one/protectors-table-autosize.txt"
$protectors | Select-Object KeyProtectorId, RecoveryPassword | Out-File -Width 120 "$one/protectors-selected.txt"
$protectors | Format-Custom | Out-File -Width $wide "$one/protectors-custom.txt"
$protectors | Export-Csv "$one/protectors.csv"
$protectors | Export-Csv -UseQuotes Never "$one/protectors-without-quotes.csv"
$protectors | Export-Csv -IncludeTypeInformation "$one/protectors-with-type.csv"
$protectors | ConvertTo-Csv -Delimiter "`t" | Set-Content "$one/protectors-tabs.csv"
$protectors | Export-Clixml "$one/protectors.xml"
$protectors | Format-List KeyProtectorId, RecoveryPassword | Out-File -Width $wide "$one/protectors-two-properties.txt"
$protectors | Select-Object KeyProtectorId, RecoveryPassword | Export-Csv "$one/protectors-two-properties.csv"
$protectors | Select-Object KeyProtectorId, RecoveryPassword | ConvertTo-Json | Out-File "$one/protectors-two-properties.json"
$protectors | ConvertTo-Html | Out-File "$one/protectors.html"
$PSStyle.OutputRendering = 'Ansi'
$protectors | Out-File -Width $wide "$one/protectors-in-colours.txt"
$PSStyle.OutputRendering = 'Host'
$protectors | Select-Object -ExpandProperty RecoveryPassword | Out-File "$told/keys-alone.txt"
$protectors | Format-Table | Out-File -Width 80 "$told/protectors-table-80.txt"
$protectors | Format-Table KeyProtectorId, RecoveryPassword | Out-File -Width 60 "$told/protectors-table-60.txt"
$protectors | ConvertTo-Xml -As String | Out-File "$one/protectors-converted.xml"
$null = Start-Transcript "$one/transcript.txt"
$protectors | Out-Default
$null = Stop-Transcript

# Rows that a script collected, each with its computer.
$rows | ConvertTo-Json | Out-File "$all/rows.json"
$rows | Export-Csv "$all/rows.csv"
$rows | Export-Csv -Delimiter ';' -UseQuotes AsNeeded "$all/rows-semicolons.csv"
$rows | Export-Csv -Delimiter '|' "$all/rows-bars.csv"
$rows | ConvertTo-Csv | Out-File -Append "$all/rows-twice.csv"
$rows | ConvertTo-Csv | Out-File -Append "$all/rows-twice.csv"
$rows | Export-Csv -UseCulture "$all/rows-culture.csv"
$rows | Format-List | Out-File -Width $wide "$all/rows-list.txt"
$rows | Format-List | Out-File -Width 50 "$all/rows-list-50.txt"
$rows | Format-Table -AutoSize | Out-File -Width $wide "$all/rows-table.txt"
$rows | Format-Table -GroupBy ComputerName KeyProtectorId, RecoveryPassword | Out-File -Width $wide "$all/rows-grouped-table.txt"
$rows | Format-List -GroupBy ComputerName KeyProtectorId, RecoveryPassword | Out-File -Width $wide "$all/rows-grouped-list.txt"
$rows | Format-Table -HideTableHeaders -AutoSize | Out-File -Width $wide "$told/rows-without-header.txt"
$rows | Export-Csv -NoHeader "$told/rows-without-header.csv"
$rows | Export-Clixml "$all/rows.xml"
$rows | ConvertTo-Html | Out-File "$all/rows.html"
$rows | ConvertTo-Html -As List | Out-File "$all/rows-list.html"
$rows | ConvertTo-Html -Fragment | Out-File "$all/rows-fragment.html"
$rows | ConvertTo-Xml -As String | Out-File "$all/rows-converted.xml"
$everyRow | Export-Csv "$all/every-protector.csv"
$everyRow | ConvertTo-Json -EnumsAsStrings | Out-File "$all/every-protector.json"
$everyRow | Format-List | Out-File -Width $wide "$all/every-protector-list.txt"
$rows | ForEach-Object { "Computer: $($_.ComputerName)", "Key ID: $($_.KeyProtectorId)", "Recovery key: $($_.RecoveryPassword)", '' } | Set-Content "$all/rows-report.txt"
$rows | ForEach-Object { [Collections.DictionaryEntry]::new($_.ComputerName, $_.RecoveryPassword) } | Export-Csv "$told/rows-without-ids.csv"

# A window of any width cuts and wraps.
foreach ($width in 24, 30, 36, 40, 45, 50, 55, 60, 66, 72, 80, 90, 100, 110, 120, 132, 160) {
  $rows | Format-List | Out-File -Width $width "$any/list-$width.txt"
  $rows | Format-Table | Out-File -Width $width "$any/table-$width.txt"
  $rows | Format-Table -Wrap | Out-File -Width $width "$any/table-wrapped-$width.txt"
  $rows | Format-Table -Wrap -AutoSize | Out-File -Width $width "$any/table-wrapped-autosized-$width.txt"
  $rows | Format-Table RecoveryPassword, ComputerName, KeyProtectorId -Wrap | Out-File -Width $width "$any/table-wrapped-key-first-$width.txt"
  $rows | Format-Table -GroupBy ComputerName KeyProtectorId, RecoveryPassword -Wrap | Out-File -Width $width "$any/groups-wrapped-$width.txt"
  $everyRow | Format-Table -Wrap | Out-File -Width $width "$any/every-protector-wrapped-$width.txt"
}

# Each encoding that Out-File and Export-Csv know. ASCII writes a name's umlaut as a question mark.
foreach ($encoding in 'ansi', 'bigendianunicode', 'bigendianutf32', 'oem', 'unicode', 'utf8', 'utf8BOM', 'utf8NoBOM', 'utf32') {
  $rows | Export-Csv -Encoding $encoding "$all/encoding-$encoding.csv"
  $rows | Format-List | Out-File -Width $wide -Encoding $encoding "$all/encoding-$encoding.txt"
  $volumes | ConvertTo-Json -Depth 4 | Set-Content -Encoding $encoding "$all/encoding-$encoding.json"
  $protectors | Out-File -Width $wide -Encoding $encoding "$one/encoding-$encoding.txt"
}
$protectors | Out-File -Width $wide -Encoding ascii "$one/encoding-ascii.txt"
$rows | Export-Csv -Encoding ascii "$told/encoding-ascii.csv"
