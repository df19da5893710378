# One image for the API, the workers and the one-off commands; docker-compose.yml shows how they are put together.

FROM python:3.12-slim-bookworm AS assets
WORKDIR /duly
COPY package.json package-lock.json .npmrc purgecss.config.cjs requirements-node.lock ./
COPY launch ./launch
COPY api ./api
RUN python -m launch.assets

FROM python:3.12-slim-bookworm AS installed
WORKDIR /duly
RUN python -m venv /opt/duly
COPY requirements.lock ./
RUN /opt/duly/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
COPY --from=assets /duly/api/static/vendor ./api/static/vendor
# Editable, as everywhere: Duly is run from its root, and this makes its connectors' entry points known. Compiled, because
# whoever it runs as may not write here: each start and each workflow's sandbox would compile its modules anew.
RUN /opt/duly/bin/pip install --no-cache-dir --no-deps --no-build-isolation --no-index \
    --config-settings editable_mode=compat --editable . \
    && /opt/duly/bin/python -m compileall -q --invalidation-mode unchecked-hash .

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/duly duly
COPY --from=installed /opt/duly /opt/duly
COPY --from=installed /duly /duly
WORKDIR /duly
# A number, so that a host can see that it is nobody special.
USER 10001
ENV PATH=/opt/duly/bin:$PATH PYTHONUNBUFFERED=1 DULY_DATA_DIR=/var/lib/duly
ENTRYPOINT ["duly"]
CMD ["--help"]
