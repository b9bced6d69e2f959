import torch
from torch.nn.functional import cross_entropy

from guessbook.trainer.encoding import IGNORED
from guessbook.trainer.losses import example_means, token_losses, trained_logits


def test_each_example_has_the_mean_over_its_own_trained_tokens() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 4, 7, generator=generator)
    labels = torch.tensor([[IGNORED, IGNORED, 3, IGNORED], [IGNORED, 1, 2, 5]])
    means = example_means(token_losses(trained_logits(logits, labels), labels), labels)
    for row in range(2):
        alone = cross_entropy(logits[row, :-1], labels[row, 1:], ignore_index=IGNORED)
        torch.testing.assert_close(means[row], alone)


def test_the_first_token_is_never_trained_since_nothing_predicts_it() -> None:
    logits = torch.zeros(1, 2, 3)
    assert token_losses(trained_logits(logits, torch.tensor([[1, 2]])), torch.tensor([[1, 2]])).shape == (1,)
