"""What a JupyterHub for this book is told, besides who may come in.

On The Littlest JupyterHub, copy it into ``/opt/tljh/config/jupyterhub_config.d``; elsewhere,
``load_subconfig("book.py")`` in ``jupyterhub_config.py``. ``nox -s hub`` tries it.
"""

c = get_config()  # type: ignore[name-defined]  # noqa: F821

# One of many on a machine is fastest on one thread. The model is a package like any other,
# installed once and only read; nobody asks a hub of models for it.
c.Spawner.environment = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}

# A student's server and one kernel need what `nox -s hub` prints; a second kernel, left open,
# as much again. The limit is kept by spawners that can: systemd's, Docker's, Kubernetes'.
c.Spawner.mem_guarantee = "1G"
c.Spawner.mem_limit = "3G"
c.Spawner.cpu_limit = 2

c.Spawner.default_url = "/lab"
c.Spawner.args = [
    # A kernel that nobody has used for an hour gives its memory back
    "--MappingKernelManager.cull_idle_timeout=3600",
    "--MappingKernelManager.cull_connected=True",
    "--LabApp.extension_manager=readonly",
]
c.JupyterHub.concurrent_spawn_limit = 40  # a class signs in within one minute
