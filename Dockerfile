# Trains, plays and draws without a screen or a graphics card. docs/containers.md tells how to use it.
#   docker build -t mlagents .
#   docker build -t mlagents:cuda --build-arg CUDA=12 .
ARG PYTHON=3.12
FROM python:${PYTHON}-slim

# Extras in brackets: --build-arg EXTRAS="[video,hub]"
ARG EXTRAS=
# 12: JAX with the libraries of CUDA 12; empty: for the CPU alone
ARG CUDA=

RUN apt-get update \
 && apt-get install --yes --no-install-recommends libegl1 libopengl0 libgl1-mesa-dri \
 && rm -rf /var/lib/apt/lists/*

COPY pyproject.toml constraints.txt README.md LICENSE /usr/src/mlagents/
COPY src /usr/src/mlagents/src
RUN pip install --no-cache-dir -c /usr/src/mlagents/constraints.txt "/usr/src/mlagents${EXTRAS}" \
 && if [ -n "${CUDA}" ]; then pip install --no-cache-dir "jax[cuda${CUDA}]"; fi

COPY config /config
RUN useradd --create-home --uid 1000 mlagents \
 && mkdir /work \
 && chown mlagents:mlagents /work

USER mlagents
WORKDIR /work
# Caches of compiled code are where any user may write, so that --user works, too.
ENV MUJOCO_GL=egl \
    NUMBA_CACHE_DIR=/tmp/cache/numba \
    XDG_CACHE_HOME=/tmp/cache \
    PYTHONUNBUFFERED=1

ENTRYPOINT ["mlagents-learn"]
CMD ["--help"]
