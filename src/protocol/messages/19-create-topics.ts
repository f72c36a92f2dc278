import { api, list } from '../schema.ts'

export const CreateTopics = api(19, 'CreateTopics', '2-7', '5+', {
  request: {
    topics: list({
      name:                        'string @topicName',
      numPartitions:               'int32',
      replicationFactor:           'int16',
      assignments: list({
        partitionIndex:            'int32',
        brokerIds:                 list('int32 @brokerId'),
      }),
      configs: list({
        name:                      'string',
        value:                     'string?',
      }),
    }),
    timeoutMs:                     'int32 = 60000',
    validateOnly:                  'bool 1+ = false',
  },
  response: {
    throttleTimeMs:                'int32 2+',
    topics: list({
      name:                        'string @topicName',
      topicId:                     'uuid 7+',
      errorCode:                   'int16',
      errorMessage:                'string? 1+',
      topicConfigErrorCode:        'int16 5+ tag 0',
      numPartitions:               'int32 5+ = -1',
      replicationFactor:           'int16 5+ = -1',
      configs: list('? 5+', {
        name:                      'string 5+',
        value:                     'string? 5+',
        readOnly:                  'bool 5+',
        configSource:              'int8 5+ = -1',
        isSensitive:               'bool 5+',
      }),
    }),
  },
})
