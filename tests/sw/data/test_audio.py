"""Audio as features: files, fields of their names, sample rates, and the front end itself."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.sequence_files import write_wav
from trine_sw.data import front_end
from trine_sw.data.audio import load_audio, read_audio
from trine_sw.data.front_end import FrontEnd
from trine_sw.support.errors import TrineError

pytest.importorskip("librosa")
soundfile = pytest.importorskip("soundfile")

RNG = np.random.default_rng(0)


def tone(hz, seconds=0.25, rate=8000):
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


def refused(load, *arguments, saying, **options):
    with pytest.raises(TrineError) as caught:
        load(*arguments, **options)
    assert saying in str(caught.value) and "\n" not in str(caught.value)


def test_folders_are_classes(tmp_path):
    write_wav(tmp_path / "low/b.wav", tone(300))
    write_wav(tmp_path / "low/a.WAV", tone(350, 0.5))
    write_wav(tmp_path / "high/x.flac", tone(3000))
    (tmp_path / "high/notes.txt").write_text("no audio", encoding="utf-8")
    (tmp_path / "high/._x.wav").write_bytes(b"no audio either")
    table = load_audio(tmp_path)
    assert table.names == ["high/x.flac", "low/a.WAV", "low/b.wav"]
    assert table.targets == ["high", "low", "low"]
    assert [each.shape for each in table.x] == [(14, 24), (30, 24), (14, 24)]
    assert table.sample_rate == 62.5 and table.front_end is not None
    assert table.front_end["sample_rate"] == 8000
    loudest = [int(each.mean(axis=0).argmax()) for each in table.x]
    assert loudest[0] > 15 > 5 > loudest[1]


def test_names_of_files_say_fields(tmp_path):
    for name in ("7_ann_0", "10_ann-lee_1", "7_bob_12"):
        write_wav(tmp_path / f"{name}.wav", RNG.normal(size=800) / 10)
    table = load_audio(tmp_path, names="{label}_{speaker}_{index}")
    assert table.targets == ["10", "7", "7"]
    assert table.fields == {"speaker": ["ann-lee", "ann", "bob"], "index": ["1", "0", "12"]}
    refused(load_audio, tmp_path, names="{label}-{speaker}", saying="not of the form")
    for wrong in ("{speaker}", "{label}_{label}", "{1}{label}", "label"):
        refused(load_audio, tmp_path, names=wrong, saying="names must be")
    refused(load_audio, tmp_path, saying="lies in no folder of its class")
    numbers = load_audio(tmp_path, names="{label}_{speaker}_{index}", task="regress")
    np.testing.assert_array_equal(numbers.targets, [[10], [7], [7]])


@pytest.mark.parametrize("kind", ["log-mel", "mfcc"])
def test_features_do_not_depend_on_the_level(kind):
    samples = RNG.normal(size=4000) / 10
    front_end = FrontEnd(kind=kind)
    quiet, loud = (front_end.features(scale * samples, 8000) for scale in (1, 4))
    np.testing.assert_allclose(quiet, loud, atol=1e-3)
    other = FrontEnd(kind=kind, normalise=False)
    assert not np.allclose(*(other.features(scale * samples, 8000) for scale in (1, 4)), atol=1)


def test_log_mel_is_what_librosa_computes():
    import librosa

    samples = RNG.normal(size=4000)
    expected = librosa.power_to_db(
        librosa.feature.melspectrogram(
            y=samples, sr=8000, n_fft=256, win_length=200, hop_length=100, n_mels=20, center=False
        ),
        top_db=None,
    )
    found = FrontEnd(bands=20, window_ms=25, hop_ms=12.5, normalise=False).features(samples, 8000)
    np.testing.assert_allclose(found, expected.T, atol=1e-3)


def test_a_described_front_end_computes_the_same():
    samples = RNG.normal(size=3000)
    front_end = FrontEnd(kind="mfcc", bands=30, coefficients=7, low_hz=100, high_hz=3500, sample_rate=16000)
    again = FrontEnd.from_json(json.loads(json.dumps(front_end.as_json())))
    assert again == front_end and [each.name for each in again.inputs()][6] == "coefficient 6"
    np.testing.assert_array_equal(again.features(samples, 8000), front_end.features(samples, 8000))
    for wrong in (None, [], {"kinds": "mfcc"}, {"kind": "mel"}, {"bands": 1.5}, {"hop_ms": 0}):
        refused(FrontEnd.from_json, wrong, saying="")


@pytest.mark.parametrize("samples", [1, 255, 256, 257, 383, 384])
def test_steps_of_short_recordings(samples):
    assert FrontEnd().features(np.ones(samples), 8000).shape == (1 if samples < 384 else 2, 24)


def test_silence_is_finite_and_constant(tmp_path):
    assert not FrontEnd().features(np.zeros(2000), 8000).any()


def test_channels_become_their_mean(tmp_path):
    left, right = RNG.normal(size=(2, 900)) / 10
    path = write_wav(tmp_path / "a.wav", np.stack([left, right], 1))
    samples, rate = read_audio(path)
    assert rate == 8000
    np.testing.assert_allclose(samples, (left + right) / 2, atol=1e-4)


def test_sample_rates(tmp_path):
    write_wav(tmp_path / "a/0.wav", tone(500), 8000)
    write_wav(tmp_path / "b/0.wav", tone(500, rate=16000), 16000)
    refused(load_audio, tmp_path, saying="sample_rate = 8000 in [data.front_end] of a recipe (trine init")
    x = load_audio(tmp_path, FrontEnd(sample_rate=8000)).x
    assert x[0].shape == x[1].shape
    assert x[0].mean(axis=0).argmax() == x[1].mean(axis=0).argmax()


def test_files_that_are_refused(tmp_path):
    refused(load_audio, tmp_path, saying="no .wav or .flac file")
    refused(load_audio, tmp_path / "none", saying="no folder")
    path = write_wav(tmp_path / "a/0.wav", tone(500))
    data = path.read_bytes()
    for wrong in (b"", b"RIFF", b"no audio at all", data[:20], data[:43]):
        path.write_bytes(wrong)
        refused(load_audio, tmp_path, saying=str(path))
    write_wav(path, np.zeros(0))
    refused(load_audio, tmp_path, saying="has no sample")
    soundfile.write(path, np.array([0, np.nan]), 8000, subtype="FLOAT")
    refused(load_audio, tmp_path, saying="not finite")
    write_wav(path, tone(500))
    refused(load_audio, tmp_path, task="label", saying="not one for each step")
    refused(load_audio, tmp_path, FrontEnd(bands=200), saying="too many for windows of 32 ms at 8000 Hz")
    refused(load_audio, tmp_path, FrontEnd(high_hz=5000), saying="at least 10000 Hz")


def test_a_user_without_a_folder_to_write_to(monkeypatch):
    """librosa compiles itself, and does not start where it cannot keep that."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(front_end, "_is_writable", lambda package: True)
    front_end._find_cache()
    assert "NUMBA_CACHE_DIR" not in front_end.os.environ
    monkeypatch.setattr(front_end, "_is_writable", lambda package: False)
    monkeypatch.setenv("TRINE_CACHE", "/dev/null/none")
    front_end._find_cache()
    assert Path(front_end.os.environ["NUMBA_CACHE_DIR"]).is_dir()
    monkeypatch.delenv("NUMBA_CACHE_DIR")
