// Streams groups: what is asked of heartbeats with a topology, of descriptions, and of who describes.

import { group, HIDDEN, OPEN, type Run, SEEN, type Shape, type Step } from './shapes.ts'
import { MEMBER } from './share-requests.ts'

const subtopology = (fields: object) => ({
  epoch: 1,
  subtopologies: [
    {
      subtopologyId: '0',
      sourceTopics: [OPEN],
      sourceTopicRegex: [],
      stateChangelogTopics: [],
      repartitionSinkTopics: [],
      repartitionSourceTopics: [],
      copartitionGroups: [],
      ...fields,
    },
  ],
})
const streams = (groupId: string, topology: object | null) => ({
  groupId,
  memberId: MEMBER,
  memberEpoch: 0,
  endpointInformationEpoch: 0,
  rebalanceTimeoutMs: 10000,
  topology,
  activeTasks: [],
  standbyTasks: [],
  warmupTasks: [],
  processId: 'p',
  clientTags: [],
})
const STREAMS: readonly (readonly [string, object | null])[] = [
  ['open', subtopology({})],
  ['hidden', subtopology({ sourceTopics: [OPEN, HIDDEN] })],
  ['hidden sink', subtopology({ repartitionSinkTopics: [HIDDEN] })],
  ['internal', subtopology({ sourceTopics: ['__consumer_offsets', HIDDEN] })],
  ['invalid', subtopology({ sourceTopics: ['a b', HIDDEN] })],
  ['pattern', subtopology({ sourceTopicRegex: ['eq-.*'] })],
  ['none', null],
]

/** Dave's member of this group has `names`. */
const joined = (run: Run, name: string, names: readonly string[]): Step => ({
  user: 'dave',
  api: 'StreamsGroupHeartbeat',
  version: 0,
  body: streams(group(run, name), subtopology({ sourceTopics: names })),
})

const node = (name: string, fields: object) => ({
  name,
  nodeType: 1,
  sourceTopics: [],
  sinkTopic: null,
  stores: [],
  successors: [],
  ...fields,
})
/** What an application tells people of its topology: it may name any topics. */
const description = (groupId: string, topologyEpoch = 1) => ({
  groupId,
  memberId: MEMBER,
  topologyEpoch,
  topologyDescription: {
    subtopologies: [
      { subtopologyId: '0', nodes: [node('from', { sourceTopics: [OPEN] }), node('to', { nodeType: 3, sinkTopic: HIDDEN })] },
    ],
    globalStores: [{ source: node('table', { sourceTopics: [HIDDEN] }), processor: node('keep', { nodeType: 2, stores: ['kept'] }) }],
  },
})

export const STREAMS_SHAPES: readonly Shape[] = [
  ...STREAMS.map(
    ([shape, topology]): Shape => ({
      api: 'StreamsGroupHeartbeat',
      shape,
      body: (_side, run) => streams(group(run, `eq-group-streams-${shape.length}`), topology),
    }),
  ),
  { api: 'StreamsGroupHeartbeat', shape: 'group refused', body: () => streams('other', subtopology({ sourceTopics: [HIDDEN] })) },
  ...([[OPEN], [OPEN, HIDDEN]] as const).map(
    (names): Shape => ({
      api: 'StreamsGroupDescribe',
      shape: `a topology of ${names.join(' and ')}`,
      before: (_side, run) => [joined(run, `eq-group-st-${names.length}`, names)],
      body: (_side, run) => ({
        groupIds: [group(run, `eq-group-st-${names.length}`), 'other-absent', 'eq-group-absent'],
        includeAuthorizedOperations: true,
      }),
    }),
  ),
  ...([OPEN, SEEN] as const).map(
    (name): Shape => ({
      api: 'StreamsGroupDescribe',
      shape: `a topology of ${name}, with its description`,
      versions: [1, 1],
      before: (_side, run) => [
        joined(run, `eq-group-sd-${name}`, [name]),
        {
          user: 'dave',
          api: 'StreamsGroupTopologyDescriptionUpdate',
          version: 0,
          body: description(group(run, `eq-group-sd-${name}`)),
        },
      ],
      body: (_side, run) => ({ groupIds: [group(run, `eq-group-sd-${name}`)], includeTopologyDescription: true }),
    }),
  ),
  {
    api: 'StreamsGroupTopologyDescriptionUpdate',
    shape: 'of a member',
    before: (_side, run) => [joined(run, 'eq-group-su', [OPEN])],
    body: (_side, run) => description(group(run, 'eq-group-su')),
  },
  {
    api: 'StreamsGroupTopologyDescriptionUpdate',
    shape: 'of another topology',
    before: (_side, run) => [joined(run, 'eq-group-sv', [OPEN])],
    body: (_side, run) => description(group(run, 'eq-group-sv'), 7),
  },
  { api: 'StreamsGroupTopologyDescriptionUpdate', shape: 'no such group', body: (_side, run) => description(group(run, 'eq-group-none')) },
  { api: 'StreamsGroupTopologyDescriptionUpdate', shape: 'group refused', body: () => description('other') },
]
