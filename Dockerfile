# The same as `make build`, in a minimal image that runs as nobody. To be
# reached from outside it needs ONAIR_LISTEN=:8080, and for that the secrets
# auth.secret, push.key and play.key (or their _file forms).
# `--target loadtest` is the simulator instead.
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
VOLUME /data
ENV ONAIR_DATA=/data
EXPOSE 8080 9090
# It asks /healthz of ops.listen as environment or file have it, not /readyz:
# what Docker finds unhealthy it may kill, and a node that is full, drains or
# waits for its Redis must not be.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s CMD ["/onair", "health"]
ENTRYPOINT ["/onair"]
