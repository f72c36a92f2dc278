import { api, list } from '../schema.ts'

export const AlterReplicaLogDirs = api(34, 'AlterReplicaLogDirs', '1-2', '2+', {
  request: {
    dirs: list({
      path:                        'string',
      topics: list({
        name:                      'string @topicName',
        partitions:                list('int32'),
      }),
    }),
  },
  response: {
    throttleTimeMs:                'int32',
    results: list({
      topicName:                   'string @topicName',
      partitions: list({
        partitionIndex:            'int32',
        errorCode:                 'int16',
      }),
    }),
  },
})
