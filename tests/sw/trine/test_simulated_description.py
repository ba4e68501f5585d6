"""What the report of a simulated text says of its model: the keys are those that training writes."""

import pytest

from trine.reports.simulated_text_report import description_of
from trine_sw.model import Model, ModelConfig
from trine_sw.model.random_model import random_model


@pytest.mark.parametrize(
    ("path", "data_set"),
    [("models/shakespeare-small.trine", "shakespeare"), ("models/ptb-lstm-300.trine", "ptb")],
)
def test_a_trained_model_names_its_data(pytestconfig, path, data_set):
    assert description_of(Model.load(pytestconfig.rootpath / path)) == f"trained on {data_set}"


def test_a_random_model_is_none_of_its_text(succeeds, sea, tmp_path):
    model = random_model(ModelConfig(hidden=4, embedding=4, vocab_size=8), seed=1)
    assert description_of(model) == "random weights"
    succeeds("random", tmp_path / "m.trine", "--dataset", "sea", "--hidden", 5, "--embedding", 4)
    assert description_of(Model.load(tmp_path / "m.trine")) == "random weights"
    model.training = {}
    assert description_of(model) == ""
