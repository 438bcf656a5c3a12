# The bridge, with all that it needs of npm's packages in it. It has no native code: the files are the same everywhere.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY scripts/build.ts scripts/build.ts
COPY src src
COPY web web
RUN npm run build

FROM ${NODE_IMAGE}
# mtools reads and sets the boot menu in a loader's image. Logs and caches are removed: they differ in every build.
RUN apt-get update && apt-get install -y --no-install-recommends mtools \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/aux-cache /var/log/apt /var/log/*.log
# That of package.json. scripts/release and the release workflow pass it.
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="dsm2mqtt" \
      org.opencontainers.image.description="A Synology DSM virtual machine on libvirt, as Home Assistant entities over MQTT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="https://github.com/unset--owner/dsm2mqtt" \
      org.opencontainers.image.url="https://unset--owner.github.io/dsm2mqtt/" \
      org.opencontainers.image.licenses="MIT"
# The cache is where the image can write. One of malloc's arenas for each thread would only hold memory back.
ENV NODE_ENV=production XDG_CACHE_HOME=/data/cache MALLOC_ARENA_MAX=2
# /config is where config.yaml is looked for; /data keeps what must survive a restart.
RUN mkdir /config && install --directory --owner=node --group=node --mode=0700 /data
WORKDIR /app
COPY --from=build /app/dist dist
COPY bin bin
COPY package.json config.example.yaml LICENSE ./
VOLUME /data
USER node
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=1m --timeout=10s --start-period=30s CMD ["node", "/app/bin/dsm2mqtt.js", "health"]
ENTRYPOINT ["node", "/app/bin/dsm2mqtt.js"]
CMD ["run"]
