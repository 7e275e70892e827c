"""What several test files share."""

import pytest


@pytest.fixture(scope="module")
def one_thread():
    """Let PyTorch use one thread, as the pages do: small pictures are then drawn fastest."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
