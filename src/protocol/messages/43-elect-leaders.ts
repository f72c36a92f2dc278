import { api, list } from '../schema.ts'

export const ElectLeaders = api(43, 'ElectLeaders', '0-2', '2+', {
  request: {
    electionType:                  'int8 1+',
    topicPartitions: list('?', {
      topic:                       'string @topicName',
      partitions:                  list('int32'),
    }),
    timeoutMs:                     'int32 = 60000',
  },
  response: {
    throttleTimeMs:                'int32',
    errorCode:                     'int16 1+',
    replicaElectionResults: list({
      topic:                       'string @topicName',
      partitionResult: list({
        partitionId:               'int32',
        errorCode:                 'int16',
        errorMessage:              'string?',
      }),
    }),
  },
})
