/*
   What the endpoint's login needs besides run-as-login.sql for backup-cert, create-cert and restore-cert. Leave it out where
   those commands are visible to nobody: whoever holds this can take the private key away.

   pep doctor calls these "more than reading and disclosing keys needs", as they are.
*/
USE CM_ABC;
GO
IF NOT EXISTS (SELECT name FROM sys.database_principals WHERE name = N'pep_certificate')
    CREATE ROLE pep_certificate;
ALTER ROLE pep_certificate ADD MEMBER pep;
GO

/* backup-cert: the private key goes to those who have CONTROL on the certificate. */
GRANT CONTROL ON CERTIFICATE::BitLockerManagement_CERT TO pep_certificate;

/*
   create-cert and restore-cert make a master key if there is none, a certificate owned by somebody else, and grants on it:
   that is CONTROL on the database. Grant it for the day of the work, and revoke it afterwards.
*/
-- GRANT CONTROL ON DATABASE::CM_ABC TO pep_certificate;
-- REVOKE CONTROL ON DATABASE::CM_ABC FROM pep_certificate;
GO

/*
   Only with siteDatabase.serverBackupDirectory: the files that SQL Server wrote are read back through it before anybody is told
   that there is a backup.
*/
USE master;
GO
-- GRANT ADMINISTER BULK OPERATIONS TO pep;
GO
