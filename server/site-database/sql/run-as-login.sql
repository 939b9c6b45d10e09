/*
   The endpoint's login with what it needs to read and disclose recovery keys and to verify the certificate, and nothing else.

   Run as sysadmin on the instance of the site database. Change the three names first. For a Windows account, write
   CREATE LOGIN [CONTOSO\svc-pep] FROM WINDOWS instead. On an availability group, run the first part on each replica with the
   same SID, or log-ins fail after a failover.

   Not covered here, as no public source shows it: whether DecryptString runs as its owner or as the caller. If the endpoint
   reports that keys come as NULL though the master key is open, the login needs CONTROL on the certificate as well: the last
   statement, commented out. CONTROL lets it export the private key, so try without it first.

   Checked by: pep doctor. It names each permission that is missing, and each that is more than needed.
*/
USE master;
GO
IF NOT EXISTS (SELECT name FROM sys.server_principals WHERE name = N'pep')
    CREATE LOGIN pep WITH PASSWORD = N'change me, then put it into the password file', DEFAULT_DATABASE = CM_ABC, CHECK_POLICY = ON;
GO

USE CM_ABC;
GO
IF NOT EXISTS (SELECT name FROM sys.database_principals WHERE name = N'pep')
    CREATE USER pep FOR LOGIN pep;
IF NOT EXISTS (SELECT name FROM sys.database_principals WHERE name = N'pep_recovery_keys')
    CREATE ROLE pep_recovery_keys;
ALTER ROLE pep_recovery_keys ADD MEMBER pep;
GO

/* Finding keys. Reading RecoveryKey itself is needed for DecryptString and gives ciphertext only. */
GRANT SELECT ON OBJECT::dbo.RecoveryAndHardwareCore_Keys TO pep_recovery_keys;
GRANT SELECT ON OBJECT::dbo.RecoveryAndHardwareCore_Machines TO pep_recovery_keys;
GRANT SELECT ON OBJECT::dbo.RecoveryAndHardwareCore_Machines_Volumes TO pep_recovery_keys;
GRANT SELECT ON OBJECT::dbo.RecoveryAndHardwareCore_Volumes TO pep_recovery_keys;
GRANT SELECT ON OBJECT::dbo.RecoveryAndHardwareCore_VolumeTypes TO pep_recovery_keys;

/* Reading keys: without the mark (bulk, -NoRotation), and with it. The second writes, through the procedure's owner. */
GRANT EXECUTE ON OBJECT::RecoveryAndHardwareCore.DecryptString TO pep_recovery_keys;
GRANT EXECUTE ON OBJECT::RecoveryAndHardwareRead.GetRecoveryKey TO pep_recovery_keys;

/* Verifying the certificate: sys.certificates shows only what one has some permission on. */
GRANT VIEW DEFINITION ON CERTIFICATE::BitLockerManagement_CERT TO pep_recovery_keys;
/* sys.database_permissions shows grants of others, and sys.database_principals the others, to those who may see definitions. */
GRANT VIEW DEFINITION ON USER::RecoveryAndHardwareCore TO pep_recovery_keys;
GRANT VIEW DEFINITION ON USER::RecoveryAndHardwareRead TO pep_recovery_keys;
GRANT VIEW DEFINITION ON USER::RecoveryAndHardwareWrite TO pep_recovery_keys;

/*
   No DENY on writing to the tables: if GetRecoveryKey runs as its caller across schemas with different owners, which no public
   source shows, a DENY would stop it. Not granting is enough.
*/
GO

-- GRANT CONTROL ON CERTIFICATE::BitLockerManagement_CERT TO pep_recovery_keys;
