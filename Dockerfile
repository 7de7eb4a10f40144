# One program in an image that holds nothing else: no shell, no package manager,
# no base image to patch. PROGRAM is one of cmd/, PACKAGE any other.
#   docker build --build-arg PROGRAM=receiver -t sallyport-receiver .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG PROGRAM PACKAGE TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    test -n "$PROGRAM$PACKAGE" || { echo "pass --build-arg PROGRAM=manager or PROGRAM=receiver" >&2; exit 1; }; \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags "-s -w" -o /program "${PACKAGE:-./cmd/$PROGRAM}"

FROM scratch
# The manager and the receiver verify TLS peers (JWKS, Redis) by public authorities.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /program /program
# A number, so that runAsNonRoot can be checked without an /etc/passwd.
USER 65532:65532
ENTRYPOINT ["/program"]
