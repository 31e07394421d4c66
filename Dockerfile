# docker build -t sallyport:dev . (with BuildKit: RUN --mount, BUILDPLATFORM)
#
# amd64 and arm64 are cross-compiled on the machine that builds:
#   docker buildx build --platform linux/amd64,linux/arm64 -t NAME .

ARG GO_IMAGE=golang:1.26

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=unknown
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /sallyport ./cmd/proxy

FROM scratch
# For issuers outside of the cluster, whose certificates public authorities sign.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /sallyport /sallyport
# A number, so that the kubelet can see that it is not root (runAsNonRoot).
USER 65532:65532
# --listen and --admin-listen.
EXPOSE 8443 9901
ENTRYPOINT ["/sallyport"]
