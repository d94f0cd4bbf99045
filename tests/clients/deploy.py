"""Deploys an application as any gRPC client would: without generated code, by what the hub says about itself.

Usage: deploy.py HOST:PORT CA CERTIFICATE KEY MANIFESTS POLICY REPLICAS
Prints the names of the services, one a line, then the answer to Deploy as JSON on one line.
"""

import json
import pathlib
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

DEADLINE_SECONDS = 30


def main() -> None:
    address, authority, certificate, key, manifests, policy, replicas = sys.argv[1:]
    credentials = grpc.ssl_channel_credentials(
        root_certificates=pathlib.Path(authority).read_bytes(),
        private_key=pathlib.Path(key).read_bytes(),
        certificate_chain=pathlib.Path(certificate).read_bytes(),
    )
    with grpc.secure_channel(address, credentials) as channel:
        reflection = ProtoReflectionDescriptorDatabase(channel)
        for service in sorted(reflection.get_services()):
            print(service)
        pool = descriptor_pool.DescriptorPool(reflection)
        service = pool.FindServiceByName("godwit.v1.WorkloadService")
        method = service.methods_by_name["Deploy"]
        request_class = message_factory.GetMessageClass(method.input_type)
        response_class = message_factory.GetMessageClass(method.output_type)
        deploy = channel.unary_unary(
            f"/{service.full_name}/{method.name}",
            request_serializer=request_class.SerializeToString,
            response_deserializer=response_class.FromString,
        )
        request = request_class(
            manifests=pathlib.Path(manifests).read_text(),
            policy_name=policy,
            replicas=int(replicas),
        )
        answer = deploy(request, timeout=DEADLINE_SECONDS)
        print(json.dumps(json_format.MessageToDict(answer, always_print_fields_with_no_presence=True)))


if __name__ == "__main__":
    main()
