"""A real Apache Kafka: one KRaft node, started from build/kafka/libs."""

import shutil
import signal
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from system.processes import (
    BUILD,
    DIE_WITH_PARENT,
    ROOT,
    free_ports,
    tail,
    wait_for,
)

LIBS = BUILD / "kafka" / "libs"
POM = ROOT / "tools" / "kafka" / "pom.xml"

# A broker that is up soon but never fast, and one to measure with.
QUICK_START = ("-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
FAST = ("-Xmx1g",)

_START_TIMEOUT_S = 60
_ADMIN_TIMEOUT_S = 30

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
log.segment.delete.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
"""


def install() -> Path:
    """Copies the broker's jars into build/."""
    install_jars(POM, LIBS)
    return LIBS


def install_jars(pom: Path, libs: Path) -> None:
    """Copies what a POM depends on into `libs`, once for each state of it."""
    stamp = libs / "pom.xml"
    if stamp.exists() and stamp.read_bytes() == pom.read_bytes():
        return
    shutil.rmtree(libs, ignore_errors=True)
    subprocess.run(
        [
            "mvn", "-q", "-B", "-f", str(pom),
            "dependency:copy-dependencies", "-DincludeScope=runtime",
            f"-DoutputDirectory={libs}",
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        timeout=600,
    )  # fmt: skip
    shutil.copy(pom, stamp)


class Broker:
    """One broker on ports and data that outlive its process."""

    def __init__(
        self, directory: Path, java_options: Sequence[str] = QUICK_START
    ) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self.directory = directory
        self._java_options = java_options
        self.log = directory / "kafka.log"
        self._config = directory / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        port, controller = free_ports(2)
        self.bootstrap = f"127.0.0.1:{port}"
        self._config.write_text(
            _PROPERTIES.format(
                broker=port, controller=controller, data=directory / "data"
            )
        )
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._java(
            "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}",
            f"--config={self._config}",
        ).wait(timeout=_START_TIMEOUT_S)  # fmt: skip
        self._admin: AdminClient | None = None

    def _java(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [
                    *DIE_WITH_PARENT, "java", *self._java_options,
                    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                    "-Dorg.slf4j.simpleLogger.showDateTime=true",
                    "-cp", f"{LIBS}/*", main, *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
            )  # fmt: skip

    def start(self) -> None:
        """Starts the broker and waits until it answers for its topics."""
        assert self._process is None
        self._process = self._java("kafka.Kafka", str(self._config))
        try:
            wait_for("kafka to answer", self._answers, _START_TIMEOUT_S)
        except Exception as error:
            raise RuntimeError(f"{error}\n{tail(self.log)}") from error

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"kafka ended: {self._process.returncode}")
        try:
            metadata = self.admin().list_topics(timeout=1)
        except KafkaException:
            return False
        return bool(metadata.brokers) and all(
            partition.leader >= 0
            for topic in metadata.topics.values()
            for partition in topic.partitions.values()
        )

    def stop(self, sig: int = signal.SIGTERM) -> None:
        """SIGTERM shuts down in order; SIGKILL is a crash."""
        if self._process is None:
            return
        self._process.send_signal(sig)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def pause(self) -> None:
        """Silent from now on, its connections open, until `resume`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self, sig: int = signal.SIGTERM) -> None:
        self.stop(sig)
        self.start()

    def admin(self) -> AdminClient:
        if self._admin is None:
            self._admin = AdminClient(
                {
                    "bootstrap.servers": self.bootstrap,
                    "reconnect.backoff.max.ms": 200,
                    "log_level": 0,
                }
            )
        return self._admin

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        config: Mapping[str, str] | None = None,
    ) -> None:
        topic = NewTopic(name, partitions, 1, config=dict(config or {}))
        self.admin().create_topics([topic])[name].result(_ADMIN_TIMEOUT_S)
        wait_for(
            f"topic {name}",
            lambda: len(self._partitions(name)) == partitions,
            _ADMIN_TIMEOUT_S,
        )

    def _partitions(self, name: str) -> list[int]:
        topic = self.admin().list_topics(timeout=5).topics.get(name)
        if topic is None or topic.error is not None:
            return []
        return [p.id for p in topic.partitions.values() if p.leader >= 0]

    def delete_topic(self, name: str) -> None:
        self.admin().delete_topics([name])[name].result(_ADMIN_TIMEOUT_S)
        wait_for(
            f"the end of topic {name}",
            lambda: name not in self.admin().list_topics(timeout=5).topics,
            _ADMIN_TIMEOUT_S,
        )

    def add_partitions(self, name: str, total: int) -> None:
        request = [NewPartitions(name, total)]
        self.admin().create_partitions(request)[name].result(_ADMIN_TIMEOUT_S)
        wait_for(
            f"{total} partitions of {name}",
            lambda: len(self._partitions(name)) == total,
            _ADMIN_TIMEOUT_S,
        )

    def alter_topic(self, name: str, config: Mapping[str, str]) -> None:
        resource = ConfigResource(
            ResourceType.TOPIC, name, set_config=dict(config)
        )
        self.admin().alter_configs([resource])[resource].result(
            _ADMIN_TIMEOUT_S
        )

    def delete_records(self, name: str, partition: int, before: int) -> None:
        """Moves the start of the log to `before`, as retention would."""
        target = TopicPartition(name, partition, before)
        futures = self.admin().delete_records([target])
        futures[target].result(_ADMIN_TIMEOUT_S)
