"""One private Slurm cluster for all tests of this folder, healthy and empty before each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.jobs.launchers.slurm import Slurm
from tests.integration.slurm.batch_jobs import Jobs
from tests.slurm_cluster import NOT_INSTALLED, SlurmCluster


@pytest.fixture(scope="session")
def slurm_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """Return a running cluster, shared by all tests of this worker."""
    if not SlurmCluster.is_installed():
        pytest.skip(NOT_INSTALLED)
    cluster = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
def slurm(slurm_cluster: SlurmCluster) -> Iterator[SlurmCluster]:
    """Return the cluster with all nodes idle and no job; whatever the test leaves is undone."""
    yield slurm_cluster
    slurm_cluster.heal()


@pytest.fixture
def launcher(slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    """Return a launcher that talks to the private cluster."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, slurm.env[name])
    return Slurm(20.0)


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    """Return a maker of batch jobs in a folder as people have them: Slurm reads per cent signs in paths as patterns."""
    return Jobs(tmp_path / "my 100%a runs")
