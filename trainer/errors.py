"""What can go wrong in training, as far as a person can do something about it.

GuessbookError
└── TrainingError
    ├── UnusableModel    the base model is missing, or is not one that can be trained
    ├── UnusableExample  an example does not go into the model's chat template
    ├── UnusableSetting  the job asks for something that this trainer or this model does not have
    ├── NotFinite        the loss or the weights are no numbers any more
    ├── ProcessEnded     one of the processes that train together died
    │   └── ProcessFull  for lack of memory
    └── TornCheckpoint   what was read back of a checkpoint is not what was written

Each fails the job, not the trainer: it goes on with the next job. `failure` is the kind that the job's end is recorded with.
"""

from guessbook.clients.errors import GuessbookError
from guessbook.proto.events_pb2 import Failure


class TrainingError(GuessbookError):
    """`str(error)` says what happened, `hint` what to do next."""

    failure: "Failure.ValueType" = Failure.FAILURE_OTHER


class UnusableModel(TrainingError):
    failure = Failure.FAILURE_BAD_CONFIG


class UnusableExample(TrainingError):
    failure = Failure.FAILURE_BAD_DATA


class UnusableSetting(TrainingError):
    failure = Failure.FAILURE_BAD_CONFIG


class NotFinite(TrainingError):
    failure = Failure.FAILURE_NOT_FINITE


class ProcessEnded(TrainingError):
    pass


class ProcessFull(ProcessEnded):
    failure = Failure.FAILURE_OUT_OF_MEMORY


class TornCheckpoint(TrainingError):
    pass
