# One image for every part of joulebus: `docker run joulebus bridge --site ...`.
# Pinned by tag. Whoever runs a registry of their own should add the digest they have checked: ...-bookworm@sha256:...
FROM python:3.11.15-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/joulebus
ENV PATH=/opt/joulebus/bin:$PATH

# What changes seldom comes first: these layers are made anew only when a version changes.
COPY requirements.txt /app/
RUN pip install --require-hashes -r /app/requirements.txt
RUN echo "setuptools==80.9.0 --hash=sha256:062d34222ad13e0cc312a4c02d73f059e86a4acbfbdea8f8f76b28c99f306922" > /tmp/build.txt \
    && pip install --require-hashes -r /tmp/build.txt

# Only the names of the packages matter here: an editable install points at /app, where the files are copied below.
COPY pyproject.toml in_place.py /app/
WORKDIR /app
RUN mkdir bridges consumers joulebus optimizer runtime schemas simulator \
    && touch README.md LICENSE bridges/__init__.py consumers/__init__.py joulebus/__init__.py optimizer/__init__.py \
        runtime/__init__.py schemas/__init__.py simulator/__init__.py \
    && pip install --no-deps --no-build-isolation --editable . \
    && pip uninstall --yes setuptools


FROM python:3.11.15-slim-bookworm

# /var/lib/joulebus is for what a part keeps, such as the bridge's outbox: the one place it may write to.
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin joulebus \
    && install -d -o joulebus -g joulebus -m 0750 /var/lib/joulebus

COPY --from=build /opt/joulebus /opt/joulebus
WORKDIR /app
COPY schemas/ schemas/
COPY runtime/ runtime/
COPY optimizer/ optimizer/
COPY bridges/ bridges/
COPY consumers/ consumers/
COPY simulator/ simulator/
COPY joulebus/ joulebus/
COPY site.toml tariff.toml ./

ENV PATH=/opt/joulebus/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    JOULEBUS_STATE=/var/lib/joulebus \
    NUMBA_CACHE_DIR=/var/lib/joulebus/numba
RUN python -m compileall -q /app

USER joulebus
ENTRYPOINT ["joulebus"]
CMD ["--help"]
