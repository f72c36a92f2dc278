# TopicGate on a small Node: built with all packages, run with those that it needs.
FROM node:26-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc tsconfig.json tsconfig.build.json ./
RUN npm ci --ignore-scripts
COPY src src
RUN npx tsc -p tsconfig.build.json && npm prune --omit=dev --ignore-scripts

FROM node:26-slim
ENV NODE_ENV=production
WORKDIR /opt/topicgate
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY config config
RUN printf '#!/bin/sh\nexec node /opt/topicgate/dist/main.js "$@"\n' > /usr/local/bin/topicgate && chmod 755 /usr/local/bin/topicgate
USER node
WORKDIR /etc/topicgate
ENTRYPOINT ["topicgate"]
CMD ["run", "-c", "/etc/topicgate/topicgate.yaml"]
