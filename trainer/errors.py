"""What can go wrong in training, as far as a person can do something about it.

GuessbookError
└── TrainingError
    ├── UnusableModel    the base model is missing, or is not one that can be trained
    ├── UnusableExample  an example does not go into the model's chat template
    └── UnusableSetting  the job asks for something that this trainer does not have

Each fails the job, not the trainer: it goes on with the next job.
"""

from guessbook.clients.errors import GuessbookError


class TrainingError(GuessbookError):
    """`str(error)` says what happened, `hint` what to do next."""


class UnusableModel(TrainingError):
    pass


class UnusableExample(TrainingError):
    pass


class UnusableSetting(TrainingError):
    pass
