"""librdkafka under test: the requests of clients/PROTOCOL.md, done as a user of confluent-kafka would."""

import base64
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, ShareConsumer
from confluent_kafka.admin import AdminClient, NewTopic

ANSWER_TIMEOUT_S = 20
NAMES = {"_AUTHENTICATION": "SASL_AUTHENTICATION_FAILED", "_TIMED_OUT": "REQUEST_TIMED_OUT"}
clients = {}
consumers = {}
output = threading.Lock()


def tell(line):
    with output:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def described(error):
    if isinstance(error, KafkaException):
        error = error.args[0]
    if isinstance(error, KafkaError):
        return {"name": NAMES.get(error.name(), error.name()), "message": error.str()}
    return {"name": type(error).__name__, "message": str(error)}


class Client:
    """What stays open between requests of one client; the last error that the library reported by itself is kept."""

    def __init__(self, bootstrap, login, tls):
        self.last_error = None
        self.config = {
            "bootstrap.servers": bootstrap,
            "error_cb": self.report,
            "log_level": 0,
            "reconnect.backoff.max.ms": 1000,
            "topic.metadata.refresh.interval.ms": 1000,
            **sasl(login),
            **secured(login, tls),
        }
        self.guard = threading.Lock()
        self.open_producer = None
        self.open_admin = None

    def report(self, error):
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self.last_error = error

    def producer(self):
        with self.guard:
            if not self.open_producer:
                self.open_producer = Producer({**self.config, "enable.idempotence": True, "message.timeout.ms": 15000, "linger.ms": 0})
            return self.open_producer

    def admin(self):
        with self.guard:
            if not self.open_admin:
                self.open_admin = AdminClient(self.config)
                self.open_admin.poll(0)
            return self.open_admin


def sasl(login):
    if not login:
        return {}
    common = {"security.protocol": "SASL_PLAINTEXT"}
    if "username" in login:
        return {**common, "sasl.mechanism": "PLAIN", "sasl.username": login["username"], "sasl.password": login["password"]}
    common["sasl.mechanism"] = "OAUTHBEARER"
    if "token" in login:
        return {**common, "oauth_cb": lambda _: (login["token"], expiry(login["token"]))}
    return {
        **common,
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": login["clientId"],
        "sasl.oauthbearer.client.secret": login["clientSecret"],
        "sasl.oauthbearer.token.endpoint.url": login["endpoint"],
    }


def secured(login, tls):
    if not tls:
        return {}
    places = {"ca": "ssl.ca.location", "cert": "ssl.certificate.location", "key": "ssl.key.location"}
    files = {place: tls[part] for part, place in places.items() if part in tls}
    return {"security.protocol": "SASL_SSL" if login else "SSL", **files}


def expiry(token):
    """When the token ends; the library refuses one that has ended, so such a token is said to live on, for the other side to judge."""
    payload = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        ends = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
    except (ValueError, KeyError):
        ends = 0
    return max(ends, time.time() + 60)


def open_client(request):
    clients[request["client"]] = Client(request["bootstrap"], request.get("login"), request.get("tls"))


def produce(request):
    client = clients[request["client"]]
    client.last_error = None
    producer = client.producer()
    sent, failed = [], []

    def delivered(error, message):
        if error:
            failed.append(error)
        else:
            sent.append({"partition": message.partition(), "offset": message.offset()})

    for message in request["messages"]:
        where = {"partition": message["partition"]} if "partition" in message else {}
        producer.produce(request["topic"], value=message["value"], key=message.get("key"), callback=delivered, **where)
    ends = time.time() + ANSWER_TIMEOUT_S
    while len(sent) + len(failed) < len(request["messages"]) and time.time() < ends:
        producer.poll(0.05)
        if client.last_error and client.last_error.code() == KafkaError._AUTHENTICATION:
            producer.purge()
            producer.flush(1)
            raise KafkaException(client.last_error)
    if failed:
        raise KafkaException(failed[0])
    if len(sent) < len(request["messages"]):
        raise TimeoutError("no delivery report")
    return sent


class Subscription(threading.Thread):
    def __init__(self, name, consumer, client):
        super().__init__(daemon=True)
        self.name_, self.consumer, self.client, self.over = name, consumer, client, threading.Event()

    def run(self):
        last = None
        while not self.over.is_set():
            message = self.consumer.poll(0.1)
            if message is None:
                error = self.client.last_error
                if error and error.code() == KafkaError._AUTHENTICATION and error is not last:
                    last = error
                    tell({"consumer": self.name_, "error": described(error)})
            else:
                self.tell(message)
        self.consumer.close()

    def tell(self, message):
        if message.error():
            tell({"consumer": self.name_, "error": described(message.error())})
            return
        key, value = message.key(), message.value()
        told = {"topic": message.topic(), "partition": message.partition(), "offset": message.offset()}
        told["key"] = key.decode() if key is not None else None
        told["value"] = value.decode() if value is not None else None
        tell({"consumer": self.name_, "message": told})


class Share(Subscription):
    """A member of a share group: what it gets it acknowledges with the next poll."""

    def run(self):
        while not self.over.is_set():
            try:
                for message in self.consumer.poll(0.2):
                    self.tell(message)
            except KafkaException as error:
                tell({"consumer": self.name_, "error": described(error)})
        self.consumer.close()


def subscribe(request):
    client, name = clients[request["client"]], request["consumer"]
    if request.get("protocol") == "share":
        consumer = ShareConsumer({**client.config, "group.id": request["group"]})
        consumer.subscribe(request["topics"])
        subscription = Share(name, consumer, client)
    else:
        consumer = Consumer({**client.config, **grouped(request), "auto.offset.reset": "earliest"})
        told = lambda change: lambda _, partitions: tell({"consumer": name, change: len(partitions)})
        topics = ["^" + request["pattern"]] if "pattern" in request else request["topics"]
        consumer.subscribe(topics, on_assign=told("assigned"), on_revoke=told("revoked"))
        subscription = Subscription(name, consumer, client)
    consumers[request["consumer"]] = subscription
    subscription.start()


def grouped(request):
    group = {"group.id": request["group"], "group.protocol": request.get("protocol", "classic")}
    return {**group, "partition.assignment.strategy": "cooperative-sticky"} if request.get("assignor") == "cooperative" else group


def unsubscribe(request):
    subscription = consumers.pop(request["consumer"])
    subscription.over.set()
    subscription.join(ANSWER_TIMEOUT_S)


def transfer(request):
    """Reads, writes and commits its offsets in one transaction, or aborts it."""
    client = clients[request["client"]]
    reading = {"group.id": request["group"], "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({**client.config, **reading, "isolation.level": "read_committed"})
    producer = Producer({**client.config, "transactional.id": request["transactionalId"], "message.timeout.ms": 15000})
    values, failed = [], []
    try:
        producer.init_transactions(ANSWER_TIMEOUT_S)
        consumer.subscribe([request["from"]])
        producer.begin_transaction()
        ends = time.time() + ANSWER_TIMEOUT_S
        while len(values) < request["count"]:
            if time.time() > ends:
                raise TimeoutError(f"read {len(values)}")
            message = consumer.poll(0.1)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            values.append(message.value().decode())
            told = lambda error, _: failed.append(error) if error else None
            producer.produce(request["to"], value=message.value(), key=message.key(), callback=told)
        producer.flush(ANSWER_TIMEOUT_S)
        if failed:
            raise KafkaException(failed[0])
        offsets = consumer.position(consumer.assignment())
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), ANSWER_TIMEOUT_S)
        if request.get("abort"):
            producer.abort_transaction(ANSWER_TIMEOUT_S)
        else:
            producer.commit_transaction(ANSWER_TIMEOUT_S)
    finally:
        consumer.close()
    return values


def metadata(request, topic=None):
    client = clients[request["client"]]
    client.last_error = None
    ends = time.time() + ANSWER_TIMEOUT_S
    while True:
        try:
            return client.admin().list_topics(topic, timeout=1)
        except KafkaException:
            client.admin().poll(0)
            if client.last_error and client.last_error.code() == KafkaError._AUTHENTICATION:
                raise KafkaException(client.last_error) from None
            if time.time() > ends:
                raise


def describe(request):
    topic = metadata(request, request["topic"]).topics[request["topic"]]
    if topic.error:
        raise KafkaException(topic.error)
    return [{"partition": each.id, "leader": each.leader} for each in topic.partitions.values()]


def create(request):
    topic = NewTopic(request["topic"], request["partitions"], request["replicas"])
    made = clients[request["client"]].admin().create_topics([topic], request_timeout=ANSWER_TIMEOUT_S)
    made[request["topic"]].result()


def delete(request):
    gone = clients[request["client"]].admin().delete_topics([request["topic"]], request_timeout=ANSWER_TIMEOUT_S)
    gone[request["topic"]].result()


def nodes(request):
    return [{"id": each.id, "host": each.host, "port": each.port} for each in metadata(request).brokers.values()]


def groups(request):
    listed = clients[request["client"]].admin().list_consumer_groups(request_timeout=ANSWER_TIMEOUT_S).result()
    if listed.errors:
        raise listed.errors[0]
    return sorted(each.group_id for each in listed.valid)


def close(request):
    client = clients.pop(request["client"])
    if client.open_producer:
        client.open_producer.flush(1)


REQUESTS = {
    "open": open_client,
    "produce": produce,
    "subscribe": subscribe,
    "unsubscribe": unsubscribe,
    "transfer": transfer,
    "topics": lambda request: sorted(metadata(request).topics),
    "describe": describe,
    "create": create,
    "delete": delete,
    "nodes": nodes,
    "groups": groups,
    "close": close,
}


def answer(request):
    try:
        tell({"id": request["id"], "ok": REQUESTS[request["do"]](request)})
    except Exception as error:  # every failure is an answer
        tell({"id": request["id"], "error": described(error)})


with ThreadPoolExecutor(16) as pool:
    for line in sys.stdin:
        pool.submit(answer, json.loads(line))
