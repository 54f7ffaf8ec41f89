"""Figures are drawn into memory and closed after each test."""
import matplotlib
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from humanflows.plotting import use_style


@pytest.fixture(autouse=True)
def _fresh_figures():
    with plt.rc_context():
        use_style()
        yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.figure(figsize=(8, 6)).subplots()


@pytest.fixture
def draw():
    """Render a figure, which is when many mistakes show."""
    return lambda artist: artist.get_figure(root=True).canvas.draw()
