"""Which role may call which method. A method that isn't here is nobody's."""

from guessbook.proto.events_pb2 import ROLE_ADMIN, ROLE_OPERATOR, ROLE_TRAINER, ROLE_VIEWER, Role

_Roles = frozenset["Role.ValueType"]

ANYONE: _Roles = frozenset({ROLE_VIEWER, ROLE_OPERATOR, ROLE_TRAINER, ROLE_ADMIN})
STEERING: _Roles = frozenset({ROLE_OPERATOR, ROLE_ADMIN})
TRAINING: _Roles = frozenset({ROLE_TRAINER, ROLE_ADMIN})
STORING: _Roles = STEERING | TRAINING
RULING: _Roles = frozenset({ROLE_ADMIN})

RIGHTS: dict[str, _Roles] = {
    "/guessbook.v1.Log/Append": TRAINING,
    "/guessbook.v1.Log/Read": ANYONE,
    "/guessbook.v1.Log/Subscribe": ANYONE,
    "/guessbook.v1.Log/Head": ANYONE,
    "/guessbook.v1.Log/Verify": ANYONE,
    "/guessbook.v1.Log/Prove": ANYONE,
    "/guessbook.v1.Control/SubmitJob": STEERING,
    "/guessbook.v1.Control/PauseJob": STEERING,
    "/guessbook.v1.Control/ResumeJob": STEERING,
    "/guessbook.v1.Control/StopJob": STEERING,
    "/guessbook.v1.Control/TakeSnapshot": STEERING,
    "/guessbook.v1.Control/SkipBatch": STEERING,
    "/guessbook.v1.Control/CancelJob": STEERING,
    "/guessbook.v1.Control/SetPriority": STEERING,
    "/guessbook.v1.Control/MoveJob": STEERING,
    "/guessbook.v1.Control/SetQueue": STEERING,
    "/guessbook.v1.Control/ChangeSchedule": STEERING,
    "/guessbook.v1.Control/LeaseJob": TRAINING,
    "/guessbook.v1.Control/StartJob": TRAINING,
    "/guessbook.v1.Control/CreateToken": RULING,
    "/guessbook.v1.Control/ListTokens": RULING,
    "/guessbook.v1.Control/RevokeToken": RULING,
    "/guessbook.v1.Control/ArchiveHistory": RULING,
    "/guessbook.v1.History/GetStatus": ANYONE,
    "/guessbook.v1.History/ListJobs": ANYONE,
    "/guessbook.v1.History/ExplainQueue": ANYONE,
    "/guessbook.v1.History/ListRuns": ANYONE,
    "/guessbook.v1.History/GetRun": ANYONE,
    "/guessbook.v1.History/ListSteps": ANYONE,
    "/guessbook.v1.History/ListExamples": ANYONE,
    "/guessbook.v1.History/GetTrajectory": ANYONE,
    "/guessbook.v1.History/ListVersions": ANYONE,
    "/guessbook.v1.History/ReadObservations": ANYONE,
    "/guessbook.v1.History/Compare": ANYONE,
    "/guessbook.v1.History/ListInsights": ANYONE,
    "/guessbook.v1.History/SummariseExamples": ANYONE,
    "/guessbook.v1.History/ListEvents": ANYONE,
    "/guessbook.v1.Safety/RequestOperation": RULING,
    "/guessbook.v1.Safety/AbortOperation": RULING,
    "/guessbook.v1.Safety/RestoreVersion": RULING,
    "/guessbook.v1.Safety/NoteVersion": STEERING,
    "/guessbook.v1.Safety/AddBaseModel": RULING,
    "/guessbook.v1.Safety/CreateBackup": STEERING,
    "/guessbook.v1.Safety/VerifyBackup": STEERING,
    "/guessbook.v1.Safety/DrillBackup": STEERING,
    "/guessbook.v1.Safety/ListOperations": ANYONE,
    "/guessbook.v1.Safety/ListBackups": ANYONE,
    "/guessbook.v1.Safety/ListBaseModels": ANYONE,
    "/guessbook.v1.Safety/GetConfig": RULING,
    "/guessbook.v1.Artifacts/Stat": ANYONE,
    "/guessbook.v1.Artifacts/Upload": STORING,
    "/guessbook.v1.Artifacts/Download": ANYONE,
    "/grpc.health.v1.Health/Check": ANYONE,
    "/grpc.health.v1.Health/List": ANYONE,
    "/grpc.health.v1.Health/Watch": ANYONE,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": ANYONE,
}
