"""How far a model is from its teacher, on texts of both."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sim.measure.teacher_gap import gap  # noqa: E402
from tests.helpers.small_recipe import CONFIG  # noqa: E402
from trine_sw.data.evaluation import golden_logits, score  # noqa: E402
from trine_sw.training.loop.validation import predicted  # noqa: E402
from trine_sw.training.models.export import export  # noqa: E402
from trine_sw.training.models.float_model import FloatLanguageModel  # noqa: E402
from trine_sw.training.models.teachers import Teachers  # noqa: E402
from trine_sw.training.models.ternary_model import TernaryLanguageModel  # noqa: E402
from trine_sw.training.nn.layers import CellOptions  # noqa: E402


@pytest.mark.parametrize("length", [2, 700])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_losses_are_those_of_evaluation_and_the_divergence_is_of_probabilities(seed, count, length):
    torch.manual_seed(seed)
    student = TernaryLanguageModel(CONFIG, CellOptions(), head="float").eval()
    assert student.head is not None
    student.head.data.normal_(0, 0.3)
    model = export(student, [chr(65 + n) for n in range(CONFIG.vocab_size)], {})
    models = [FloatLanguageModel(CONFIG).eval() for _ in range(count)]
    tokens = np.random.default_rng(seed).integers(0, CONFIG.vocab_size, length)
    found = gap(model, Teachers(models), tokens)
    logits = golden_logits(model, "float")
    assert found.model == pytest.approx(score(tokens, logits(tokens[:-1]), 1.0)["nats_per_token"], abs=1e-6)
    with torch.no_grad():
        read = torch.from_numpy(tokens[:-1, None])
        chances = [each(read, each.initial_state(1))[0][:, 0].double().softmax(1) for each in models]
        wanted = torch.stack(chances).mean(0).numpy()
    of_next = wanted[np.arange(length - 1), tokens[1:]]
    assert found.teacher == pytest.approx(-np.log(of_next).mean(), abs=1e-6)
    if count == 1:
        assert found.teacher == pytest.approx(predicted(models[0], tokens[:, None])[0], abs=1e-6)
    rows = np.concatenate([each.reshape(-1, CONFIG.vocab_size) for each in logits(tokens[:-1])]).astype(float)
    says = np.exp(rows - rows.max(1, keepdims=True))
    says /= says.sum(1, keepdims=True)
    assert found.divergence == pytest.approx((wanted * np.log(wanted / says)).sum(1).mean(), abs=1e-6)
    assert found.divergence > 0.001
