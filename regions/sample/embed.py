"""The active-active sample: a gRPC server with standard health and one echoing method."""

from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from regions.sample.load_meter import LoadMeter

METHOD = "/sample.Embed/Embed"


def serve(address: str, region_id: str, meter: LoadMeter) -> grpc.Server:
    """Start the server; it answers ``METHOD`` with the region's name and the request."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))

    def embed(request: bytes, _context: grpc.ServicerContext) -> bytes:
        meter.count()
        return region_id.encode() + b":" + request

    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(embed)
    generic = grpc.method_handlers_generic_handler("sample.Embed", {"Embed": handler})
    server.add_generic_rpc_handlers((generic,))
    checker = health.HealthServicer()
    checker.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    if server.add_insecure_port(address) == 0:
        raise OSError(f"cannot listen on {address}")
    server.start()
    return server
