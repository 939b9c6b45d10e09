/*
   A MODEL of the recovery tables, for tests on a real SQL Server: never run it in a site's database.

   Names and columns are those that public scripts use against real sites. Types, indexes, and the bodies of DecryptString and
   GetRecoveryKey are ours; Microsoft's are not public. EncryptString does not exist in Microsoft's text and is called
   PepModelEncrypt here, so that nobody takes it for theirs.

   Run in a new, empty database whose name begins with CM_PEP, as its owner; -b, so that sqlcmd stops at the first error:
     sqlcmd -b -S localhost -U sa -Q "CREATE DATABASE CM_PEP COLLATE SQL_Latin1_General_CP1_CI_AS"
     sqlcmd -b -S localhost -U sa -d CM_PEP -i server/site-database/sql/model-schema.sql

   At the end it prints the id of this run. The tests take it as PEP_TEST_SQLSERVER_RUN and write nowhere else.
*/
:on error exit
GO
/*
   Holds across GO: with NOEXEC on, every batch behind this one is compiled and not run, whatever sends them. A site's code may
   be PEP, so the name alone is no proof: anything that is there already ends it too. RAISERROR first, as NOEXEC stops that as well.
*/
IF DB_NAME() NOT LIKE N'CM[_]PEP%' OR EXISTS (SELECT 1 FROM sys.objects WHERE is_ms_shipped = 0)
    OR USER_ID(N'RecoveryAndHardwareCore') IS NOT NULL
BEGIN
    RAISERROR (N'Not a new, empty database whose name begins with CM_PEP: nothing is made.', 16, 1);
    SET NOEXEC ON;
END;
GO

CREATE USER RecoveryAndHardwareCore WITHOUT LOGIN;
CREATE USER RecoveryAndHardwareRead WITHOUT LOGIN;
CREATE USER RecoveryAndHardwareWrite WITHOUT LOGIN;
GO
CREATE SCHEMA RecoveryAndHardwareCore AUTHORIZATION RecoveryAndHardwareCore;
GO
CREATE SCHEMA RecoveryAndHardwareRead AUTHORIZATION RecoveryAndHardwareRead;
GO

CREATE TABLE dbo.RecoveryAndHardwareCore_Machines (
    Id int IDENTITY PRIMARY KEY,
    Name nvarchar(63) NOT NULL,
    INDEX IX_Machines_Name (Name)
);
CREATE TABLE dbo.RecoveryAndHardwareCore_VolumeTypes (
    Id int PRIMARY KEY,
    TypeName nvarchar(64) NOT NULL
);
CREATE TABLE dbo.RecoveryAndHardwareCore_Volumes (
    Id int IDENTITY PRIMARY KEY,
    VolumeGuid char(36) NOT NULL UNIQUE,
    VolumeTypeId int NOT NULL REFERENCES dbo.RecoveryAndHardwareCore_VolumeTypes (Id)
);
CREATE TABLE dbo.RecoveryAndHardwareCore_Machines_Volumes (
    MachineId int NOT NULL REFERENCES dbo.RecoveryAndHardwareCore_Machines (Id),
    VolumeId int NOT NULL REFERENCES dbo.RecoveryAndHardwareCore_Volumes (Id),
    PRIMARY KEY (MachineId, VolumeId)
);
CREATE TABLE dbo.RecoveryAndHardwareCore_Keys (
    Id int IDENTITY PRIMARY KEY,
    VolumeId int NOT NULL REFERENCES dbo.RecoveryAndHardwareCore_Volumes (Id),
    RecoveryKeyId varchar(36) NOT NULL CONSTRAINT UniqueRecoveryKeyId UNIQUE,
    RecoveryKey varbinary(max) NOT NULL,
    LastUpdateTime datetime NOT NULL,
    Disclosed bit NOT NULL DEFAULT 0
);
INSERT INTO dbo.RecoveryAndHardwareCore_VolumeTypes (Id, TypeName)
VALUES (0, N'Unknown'), (1, N'Operating System'), (2, N'Fixed Data'), (3, N'Removable Data');
GO

CREATE MASTER KEY ENCRYPTION BY PASSWORD = N'Model-Master-Key-1';
CREATE CERTIFICATE BitLockerManagement_CERT AUTHORIZATION RecoveryAndHardwareCore
    WITH SUBJECT = 'BitLocker Management', EXPIRY_DATE = '20391022';
GRANT CONTROL ON CERTIFICATE::BitLockerManagement_CERT TO RecoveryAndHardwareRead;
GRANT CONTROL ON CERTIFICATE::BitLockerManagement_CERT TO RecoveryAndHardwareWrite;
GO

/* Direct encryption by the certificate: inferred, strong. Runs as Read, so that taking Read's CONTROL away closes the keys. */
CREATE FUNCTION RecoveryAndHardwareCore.DecryptString (@value varbinary(max), @reserved int = 0)
RETURNS nvarchar(max)
WITH EXECUTE AS 'RecoveryAndHardwareRead'
AS
BEGIN
    RETURN CONVERT(nvarchar(max), DECRYPTBYCERT(CERT_ID('BitLockerManagement_CERT'), @value));
END;
GO
CREATE FUNCTION dbo.PepModelEncrypt (@plain nvarchar(55))
RETURNS varbinary(max)
AS
BEGIN
    RETURN ENCRYPTBYCERT(CERT_ID('BitLockerManagement_CERT'), @plain);
END;
GO

/* Marks, then gives. Where Configuration Manager keeps the reason is not public; the model keeps it not at all. */
CREATE PROCEDURE RecoveryAndHardwareRead.GetRecoveryKey @RecoveryKeyId varchar(36), @Reason nvarchar(2000)
WITH EXECUTE AS OWNER
AS
BEGIN
    SET NOCOUNT ON;
    UPDATE dbo.RecoveryAndHardwareCore_Keys SET Disclosed = 1 WHERE RecoveryKeyId = @RecoveryKeyId;
    SELECT Keys.RecoveryKeyId, RecoveryAndHardwareCore.DecryptString(Keys.RecoveryKey, DEFAULT) AS RecoveryKey,
           Keys.LastUpdateTime, Volumes.VolumeGuid
    FROM dbo.RecoveryAndHardwareCore_Keys Keys
    JOIN dbo.RecoveryAndHardwareCore_Volumes Volumes ON Volumes.Id = Keys.VolumeId
    WHERE Keys.RecoveryKeyId = @RecoveryKeyId;
END;
GO
GRANT SELECT, UPDATE ON OBJECT::dbo.RecoveryAndHardwareCore_Keys TO RecoveryAndHardwareRead;
GRANT SELECT ON OBJECT::dbo.RecoveryAndHardwareCore_Volumes TO RecoveryAndHardwareRead;
GRANT EXECUTE ON OBJECT::RecoveryAndHardwareCore.DecryptString TO RecoveryAndHardwareRead;
GO

/* The marker of this run. Last, so that it says that all of the model is there. */
DECLARE @run nvarchar(32) = REPLACE(CONVERT(nvarchar(36), NEWID()), N'-', N'');
EXEC (N'CREATE TABLE dbo.PepModelRun_' + @run + N' (Id int PRIMARY KEY)');
PRINT N'PEP_TEST_SQLSERVER_RUN=' + @run;
GO
SET NOEXEC OFF;
GO
