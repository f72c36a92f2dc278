# Makes a store with the authorization model and leaves its id where TopicGate reads it; the store lives as long as OpenFGA's memory.
set -eu
topicgate policy init-store --url http://openfga:8080 --name topicgate --json > /tmp/ids.json
node -p 'JSON.parse(require("node:fs").readFileSync("/tmp/ids.json", "utf8")).store' > /run/topicgate/store
