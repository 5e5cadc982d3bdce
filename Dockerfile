# The same as `make build`, in a minimal image without root rights. For access from
# outside it needs ONAIR_LISTEN=:8080, and for that the secrets auth.secret, push.key
# and play.key (or their _file forms). `--target loadtest` builds the simulator.
FROM node:20 AS pages
WORKDIR /src
COPY Makefile ./
COPY web web
RUN make pages

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=pages /src/web/dist web/dist
RUN make onair && mkdir -p /empty/data

FROM build AS simulator
RUN make loadtest

FROM scratch AS loadtest
COPY --from=simulator /src/bin/loadtest /loadtest
USER 65532:65532
ENTRYPOINT ["/loadtest"]

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/bin/onair /onair
COPY --from=build --chown=65532:65532 /empty/data /data
USER 65532:65532
# The default of data is ./data, here /data.
VOLUME /data
WORKDIR /
EXPOSE 8080 9090
# The check requests /healthz at ops.listen of the environment or the file. It does
# not use /readyz: Docker may kill an unhealthy container, and must not kill a node
# that is full, drains or waits for Redis.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["/onair", "health"]
ENTRYPOINT ["/onair"]
