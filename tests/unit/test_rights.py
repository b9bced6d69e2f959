"""Every method is somebody's, and what the roles may do."""

from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from guessbook.proto import artifacts_pb2, control_pb2, history_pb2, log_pb2, safety_pb2
from guessbook.proto.events_pb2 import ROLE_ADMIN, ROLE_OPERATOR, ROLE_TRAINER, ROLE_VIEWER
from guessbook.server.rights import RIGHTS

SERVED = (log_pb2, control_pb2, history_pb2, artifacts_pb2, safety_pb2, health_pb2, reflection_pb2)


def test_every_method_of_every_service_is_in_the_table_and_nothing_else() -> None:
    methods = {
        f"/{service.full_name}/{method.name}"
        for module in SERVED
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert set(RIGHTS) == methods


def test_an_admin_may_do_everything_and_a_viewer_only_what_all_may() -> None:
    for roles in RIGHTS.values():
        assert ROLE_ADMIN in roles
        assert ROLE_VIEWER not in roles or {ROLE_OPERATOR, ROLE_TRAINER} <= roles


def test_what_only_some_may() -> None:
    def only(*roles: int) -> set[str]:
        return {method.rpartition("/")[2] for method, may in RIGHTS.items() if may == {*roles, ROLE_ADMIN}}

    tokens = {"CreateToken", "ListTokens", "RevokeToken"}
    assert only() == tokens | {
        "ArchiveHistory",
        "RequestOperation",
        "AbortOperation",
        "RestoreVersion",
        "AddBaseModel",
        "GetConfig",
    }
    steering = {"SubmitJob", "PauseJob", "ResumeJob", "StopJob", "TakeSnapshot", "ChangeSchedule"}
    steering |= {"SkipBatch", "CancelJob", "SetPriority", "MoveJob", "SetQueue"}
    assert only(ROLE_OPERATOR) == steering | {"NoteVersion", "CreateBackup", "VerifyBackup", "DrillBackup"}
    assert only(ROLE_TRAINER) == {"Append", "LeaseJob", "StartJob"}
    assert only(ROLE_OPERATOR, ROLE_TRAINER) == {"Upload"}
